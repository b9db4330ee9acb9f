//! The plan, told as stories: build the world, change one thing, read what certctl would do.

mod access;
mod branch;
mod comment;
mod cut_offs;
mod digest;
mod endpoint;
mod events;
mod fitting;
mod full_control;
mod headline;
mod held;
mod import;
mod machine;
mod markdown;
mod on_clusters;
mod remembered;
mod rights;
mod safety;
mod schema;
mod shared_keys;
mod status;
mod stories;
mod story;
mod strays;
mod team;
mod world;
