//! What several tests of the model share.

pub(crate) mod corpus;
pub(crate) mod strategy;
pub(crate) mod tree;
