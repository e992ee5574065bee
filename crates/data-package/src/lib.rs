#![doc = include_str!("../README.md")]

mod builder;
mod directory;
mod entry_name;
mod error;
mod folder;
mod inspect;
mod limits;
mod manifest;
mod valve;
mod warning;
mod writer;

pub use builder::{Built, PackageBuilder};
pub use entry_name::NameProblem;
pub use error::{BuildError, InspectError};
pub use inspect::{Entry, Inspection, inspect, is_data_package};
pub use limits::Limits;
pub use manifest::{Content, MANIFEST_NAME, Manifest, ManifestError, Parameter};
pub use warning::Warning;
