//! `certctl schema`: JSON Schemas for editors, and for readers of plans and applies.

use super::DONE;
use super::terminal::Terminal;
use crate::cli::SchemaOf;
use crate::error::Result;

pub fn run(what: SchemaOf, terminal: &Terminal) -> Result<u8> {
    let schema = match what {
        SchemaOf::Roster => crate::roster::schema(),
        SchemaOf::Plan => crate::render::json::schema(),
        SchemaOf::Apply => super::report::document::schema(),
    };
    terminal.print(schema.as_bytes())?;
    Ok(DONE)
}
