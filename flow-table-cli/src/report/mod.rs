//! Summaries for people.

pub(crate) mod html;
pub(crate) mod text;
