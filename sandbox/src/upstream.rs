//! Another API server as a backend: each request is passed on with one identity, or none, on its own connection,
//! and the response is returned unchanged but for its `Date`, watches included.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::backend::{Abort, Backend, Body};
use crate::status::Status;
use crate::user::User;

/// An API server, and the identity that requests are made with.
pub struct Upstream {
    /// Without the brackets of an IPv6 address, which sockets and certificates do not use.
    host: String,
    /// The value of the `Host` header: as in the URL, including the port.
    authority: HeaderValue,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
    for_anyone: bool,
}

impl Upstream {
    /// The API server at `server` (`https://HOST:PORT`), whose certificate is verified with
    /// `certificate_authority`, and a client certificate with its key, which every request is made
    /// with, regardless of its sender. All PEM.
    ///
    /// # Errors
    /// Input that cannot be parsed.
    pub fn new(
        server: &str,
        certificate_authority: &[u8],
        certificate: &[u8],
        key: &[u8],
    ) -> Result<Self, String> {
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("the client certificate: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the client key: {error}"))?;
        Self::to(server, certificate_authority, Some((chain, key)))
    }

    /// As [`Self::new`], and every request is made without any identity, for whoever asks.
    ///
    /// # Errors
    /// Input that cannot be parsed.
    pub fn anonymous(server: &str, certificate_authority: &[u8]) -> Result<Self, String> {
        Self::to(server, certificate_authority, None).map(Self::for_anyone)
    }

    /// Passes on whatever anyone asks for, as a load balancer that ends TLS does: no client is asked for a
    /// certificate.
    #[must_use]
    pub fn for_anyone(mut self) -> Self {
        self.for_anyone = true;
        self
    }

    /// Whether no client is asked for a certificate.
    pub(crate) fn is_for_anyone(&self) -> bool {
        self.for_anyone
    }

    fn to(
        server: &str,
        certificate_authority: &[u8],
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Result<Self, String> {
        let uri: Uri = server.parse().map_err(|error| format!("{server}: {error}"))?;
        let authority = uri.authority().ok_or_else(|| format!("{server}: it has no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(443);
        let authority = match authority.port() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(certificate_authority) {
            let certificate = certificate.map_err(|error| format!("the CA: {error}"))?;
            roots.add(certificate).map_err(|error| format!("the CA: {error}"))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let config = match identity {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client certificate: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        Ok(Self {
            name: ServerName::try_from(host.clone()).map_err(|error| format!("{host}: {error}"))?,
            authority: HeaderValue::try_from(authority).map_err(|error| format!("{server}: {error}"))?,
            port,
            host,
            connector: TlsConnector::from(Arc::new(config)),
            for_anyone: false,
        })
    }

    async fn ask(&self, mut request: Request<Bytes>) -> io::Result<Response<Body>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // It ends with the response, or when the receiver is dropped.
        tokio::spawn(connection);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse();
        *request.uri_mut() = path.map_err(io::Error::other)?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut answer = sender.send_request(request.map(Full::new)).await.map_err(io::Error::other)?;
        answer.headers_mut().remove(CONNECTION);
        Ok(answer.map(|body| body.map_err(|_| Abort).boxed_unsync()))
    }
}

impl Backend for Upstream {
    async fn handle(&self, user: User, request: Request<Bytes>) -> Result<Response<Body>, Abort> {
        // Only the proxy's own client certificates may be used here.
        if user == User::anonymous() && !self.for_anyone {
            return Ok(Status::unauthorized().into_response());
        }
        let answer = self.ask(request).await;
        Ok(answer.unwrap_or_else(|error| Status::internal(&format!("the proxy: {error}")).into_response()))
    }
}
