//! What is looked for.

use super::{ContentHash, DataPackage, Viewer};

/// Entries per answer unless told otherwise.
const DEFAULT_LIMIT: u32 = 1000;

/// What is looked for: entries that one viewer sees and of which all that is said here is true.
///
/// Texts are taken literally: none has wildcards.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PackageFilter {
    /// Who looks.
    pub viewer: Viewer,
    /// All of these are among the keywords.
    pub keywords: Vec<String>,
    /// The tool is this.
    pub tool: Option<String>,
    /// The name contains this, in whatever case.
    pub name: Option<String>,
    /// The file name contains this, in whatever case.
    pub filename: Option<String>,
    /// The type is this.
    pub mime_type: Option<String>,
    /// The UID or the hash is this.
    pub uid: Option<String>,
    /// The hash is this.
    pub hash: Option<ContentHash>,
    /// The number of the entry is this.
    pub key: Option<i64>,
    /// The user who uploaded it is this.
    pub submitter: Option<String>,
    /// The device that uploaded it is this.
    pub creator_uid: Option<String>,
    /// The mission is this.
    pub mission: Option<String>,
    /// It was uploaded then or later. Milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// It was uploaded then or before. Milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
    /// It is here.
    pub bounds: Option<Bounds>,
    /// It is within this, too.
    pub circle: Option<Circle>,
    /// It is this high or higher. Metres.
    pub min_altitude: Option<f64>,
    /// It is this high or lower. Metres.
    pub max_altitude: Option<f64>,
    /// All entries of a content that are for the viewer are looked at. Defaults to `false`: only the
    /// newest of them is.
    pub each_audience: bool,
    /// Damaged content is looked for, too. Defaults to `false`.
    pub include_damaged: bool,
    /// What comes first. Defaults to [`SortBy::Submitted`].
    pub sort: SortBy,
    /// The least comes first. Defaults to `false`: what was uploaded last does.
    pub is_ascending: bool,
    /// Matches to leave out at the beginning. Defaults to 0.
    pub offset: u32,
    /// Most matches to give. Defaults to 1,000.
    pub limit: u32,
}

impl PackageFilter {
    /// All that a viewer sees.
    pub fn new(viewer: Viewer) -> Self {
        Self {
            viewer,
            keywords: Vec::new(),
            tool: None,
            name: None,
            filename: None,
            mime_type: None,
            uid: None,
            hash: None,
            key: None,
            submitter: None,
            creator_uid: None,
            mission: None,
            since_ms: None,
            until_ms: None,
            bounds: None,
            circle: None,
            min_altitude: None,
            max_altitude: None,
            each_audience: false,
            include_damaged: false,
            sort: SortBy::default(),
            is_ascending: false,
            offset: 0,
            limit: DEFAULT_LIMIT,
        }
    }

    /// Whether what is said here is true of an entry that the viewer sees. Stores that keep entries
    /// in memory need no more than this; others must agree with it.
    pub fn matches(&self, package: &DataPackage) -> bool {
        let is = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == text)
        };
        let is_optional =
            |wanted: &Option<String>, text: &Option<String>| wanted.is_none() || wanted == text;
        let contains = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| fold(text).contains(&fold(wanted)))
        };
        let height = package.altitude;
        self.keywords.iter().all(|keyword| package.keywords.contains(keyword))
            && is(&self.tool, &package.tool)
            && contains(&self.name, &package.name)
            && contains(&self.filename, &package.filename)
            && is(&self.mime_type, &package.mime_type)
            && (is(&self.uid, &package.uid) || self.uid_as_hash() == Some(package.hash))
            && self.hash.is_none_or(|hash| hash == package.hash)
            && self.key.is_none_or(|key| key == package.key)
            && is_optional(&self.submitter, &package.submitter)
            && is_optional(&self.creator_uid, &package.creator_uid)
            && is_optional(&self.mission, &package.mission)
            && self.since_ms.is_none_or(|since| package.submitted_ms >= since)
            && self.until_ms.is_none_or(|until| package.submitted_ms <= until)
            && self.bounds.is_none_or(|bounds| bounds.contain(package))
            && self.circle.is_none_or(|circle| circle.contain(package))
            && self.min_altitude.is_none_or(|least| height.is_some_and(|height| height >= least))
            && self.max_altitude.is_none_or(|most| height.is_some_and(|height| height <= most))
            && (self.include_damaged || !package.is_damaged)
    }

    /// The UID that is looked for, where it may be a hash as well.
    pub(super) fn uid_as_hash(&self) -> Option<ContentHash> {
        self.uid.as_ref()?.parse().ok()
    }
}

/// A part of the map. Degrees; what crosses the 180th meridian has its west east of its east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Least latitude.
    pub south: f64,
    /// Western longitude.
    pub west: f64,
    /// Greatest latitude.
    pub north: f64,
    /// Eastern longitude.
    pub east: f64,
}

impl Bounds {
    fn contain(&self, package: &DataPackage) -> bool {
        let Some((latitude, longitude)) = package.latitude.zip(package.longitude) else {
            return false;
        };
        let is_east = longitude >= self.west;
        let is_west = longitude <= self.east;
        let is_between =
            if self.west <= self.east { is_east && is_west } else { is_east || is_west };
        (self.south..=self.north).contains(&latitude) && is_between
    }
}

/// What is not further from a place than this, along the ground. Nothing is further than half around
/// the Earth, and nothing is within what has a number that is none.
///
/// The Earth is a sphere here: distances are off by up to 0.6 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    /// Degrees.
    pub latitude: f64,
    /// Degrees.
    pub longitude: f64,
    /// Metres.
    pub radius_m: f64,
}

/// Mean radius of the Earth. Metres.
const EARTH_M: f64 = 6_371_008.8;

impl Circle {
    /// Whether a place, in degrees, is within it.
    pub fn contains(&self, latitude: f64, longitude: f64) -> bool {
        let (south, north) = self.latitudes();
        if !(south..=north).contains(&latitude) {
            return false;
        }
        // The haversine formula, which is good for small distances, too.
        let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let across = half(longitude - self.longitude);
        let across = across * latitude.to_radians().cos() * self.latitude.to_radians().cos();
        let chord = (half(latitude - self.latitude) + across).sqrt();
        2.0 * EARTH_M * chord.clamp(0.0, 1.0).asin() <= self.radius_m
    }

    /// The least and the greatest latitude of what is within it, and a little more. Degrees.
    pub(super) fn latitudes(&self) -> (f64, f64) {
        let reach = (self.radius_m / EARTH_M).to_degrees() + 1e-6;
        (self.latitude - reach, self.latitude + reach)
    }

    fn contain(&self, package: &DataPackage) -> bool {
        let place = package.latitude.zip(package.longitude);
        place.is_some_and(|(latitude, longitude)| self.contains(latitude, longitude))
    }
}

/// What decides the order. Where it is equal, the upload does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SortBy {
    /// The name, in whatever case.
    Name,
    /// The size.
    Size,
    /// The order of the uploads.
    #[default]
    Submitted,
}

/// A text as it is compared where the case does not matter.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
}
