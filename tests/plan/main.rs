//! The plan, told as stories: build the world, change one thing, read what certctl would do.

mod markdown;
mod properties;
mod safety;
mod schema;
mod stories;
mod story;
