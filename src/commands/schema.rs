//! `certctl schema`: JSON Schemas for editors, and for readers of plans and applies.

use crate::cli::SchemaOf;
use crate::console::terminal::Terminal;
use crate::error::Result;
use crate::exit_code::DONE;

pub fn run(what: SchemaOf, terminal: &Terminal) -> Result<u8> {
    let schema = match what {
        SchemaOf::Roster => crate::roster::schema(),
        SchemaOf::Part => crate::roster::part_schema(),
        SchemaOf::Plan => crate::render::json::schema(),
        SchemaOf::Status => crate::render::status::document::schema(),
        SchemaOf::Who => crate::render::who::schema(),
        SchemaOf::History => crate::render::history::schema(),
        SchemaOf::Notices => crate::render::notices::schema(),
        SchemaOf::Apply => crate::report::document::schema(),
        SchemaOf::Audit => crate::render::audit::schema(),
        SchemaOf::Explain => crate::render::explain::schema(),
        SchemaOf::Import => crate::render::import::document::import_schema(),
        SchemaOf::ImportFinish => crate::render::import::document::finish_schema(),
        SchemaOf::Checks => crate::checks::schema(),
    };
    terminal.print(schema.as_bytes())?;
    Ok(DONE)
}
