//! One request to the API server and its answer, with a time limit, tried again where that is safe.
//!
//! It works below kube's typed `Api`, because the header `Retry-After` and the difference between a
//! request that was never sent and one whose answer was lost are not visible above. kube's own
//! retry layer is off: it repeats writes after a 503 or 504 and waits as long as a server asks.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use http::Request;
use http_body::Body as _;
use kube::client::Body;
use kube::core::Status;
use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout};

use super::connect::Connection;
use super::error::{self, CallFailure};
use super::limits;
use super::resource::Call;
use super::retry::{self, Repeat};
use crate::error::Error;

/// The longest part of an answer that is no `Status` that is quoted in an error.
const QUOTED: usize = 300;

impl Connection {
    /// Sends a request and reads its answer, again and again where `repeat` allows it and the
    /// failure can pass.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        request: &Request<Vec<u8>>,
        repeat: Repeat,
    ) -> Result<T, CallFailure> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            let failure = match self.once(request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tries += 1;
            match retry::delay(&failure, repeat, tries, began.elapsed(), retry::jitter()) {
                Some(delay) => sleep(delay).await,
                None => return Err(failure),
            }
        }
    }

    async fn once<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T, CallFailure> {
        match timeout(self.limit(), self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallFailure::Lost(format!("no answer within {} s", self.limit().as_secs_f64()))),
        }
    }

    async fn exchange<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T, CallFailure> {
        let response = self
            .client()
            .send(request.map(Body::from))
            .await
            .map_err(|error| CallFailure::of_sending(&error))?;
        let code = response.status();
        self.note_date(response.headers());
        let retry_after = response
            .headers()
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        // The turn lasts until the answer is parsed, which takes more memory than its bytes.
        let (body, _turn) = self.whole(response.into_body()).await?;
        if code.is_success() {
            return serde_json::from_slice(&body).map_err(|error| CallFailure::Garbled(error.to_string()));
        }
        let mut status = serde_json::from_slice::<Status>(&body).unwrap_or_else(|_| {
            // A proxy, or the API server's own overload protection, answers in plain text.
            let text: String = String::from_utf8_lossy(&body).trim().chars().take(QUOTED).collect();
            Status::failure(&text, "")
        });
        status.code = code.as_u16();
        Err(CallFailure::Api { status: Box::new(status), retry_after })
    }
}

impl Connection {
    /// The whole response body, and the permit to parse it if it is large.
    async fn whole(&self, mut body: Body) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), CallFailure> {
        let mut bytes = Vec::new();
        let mut turn = None;
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let frame = frame.map_err(|error| CallFailure::Lost(error::root(&error)))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > limits::ANSWER {
                return Err(CallFailure::TooLarge(format!("it has more than {} MiB", limits::ANSWER >> 20)));
            }
            if turn.is_none() && length > limits::SMALL_ANSWER {
                // It is never closed.
                turn = self.large_answers().acquire().await.ok();
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, turn))
    }
}

impl CallFailure {
    /// The failure as an error to print.
    pub(super) fn explain(self, connection: &Connection, call: &Call) -> Error {
        let explanation = self.explanation(connection.context(), connection.server(), call);
        let error = Error::new(format!("{}: {}; {}", connection.context(), explanation.fact, call.otherwise));
        let error = match explanation.cause {
            cause if cause.is_empty() => error,
            cause => error.caused_by(cause),
        };
        explanation.hints.into_iter().fold(error, Error::hint)
    }
}
