//! An access review for an auditor: one page that needs nothing but a browser, or a table for a spreadsheet.

mod csv;
mod html;
mod page;
mod words;

pub use csv::csv;
pub use page::page;
