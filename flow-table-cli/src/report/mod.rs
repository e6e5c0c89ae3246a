//! Summaries for people.

pub(crate) mod html;
pub(crate) mod screen;
pub(crate) mod text;
