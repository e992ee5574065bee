//! Where something is.

use crate::ParseError;
use crate::xml::Element;

/// The value that stands for "unknown" in `hae`, `ce` and `le`.
const UNKNOWN: &str = "9999999.0";
/// Clients write the unknown with six or seven nines: everything from here up is unknown.
const UNKNOWN_FROM: f64 = 999_999.0;

/// A WGS-84 position.
///
/// ```text
/// <point lat="1.234567" lon="-3.141592" hae="-25.7" ce="9.9" le="9999999.0"/>
/// ```
///
/// Unknown height and errors are `None`: on the wire they are any value from 999999 up, `NaN`,
/// or a missing attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Latitude in degrees, -90 to 90.
    pub lat: f64,
    /// Longitude in degrees, -180 to 180.
    pub lon: f64,
    /// Metres above the WGS-84 ellipsoid.
    pub hae: Option<f64>,
    /// Horizontal error radius in metres.
    pub ce: Option<f64>,
    /// Vertical error in metres.
    pub le: Option<f64>,
}

impl Point {
    /// A position of unknown height and accuracy.
    #[must_use]
    pub const fn new(lat: f64, lon: f64) -> Self {
        Self { lat, lon, hae: None, ce: None, le: None }
    }

    /// What a client without a position reports: 0/0 with all else unknown.
    #[must_use]
    pub const fn unknown() -> Self {
        Self::new(0.0, 0.0)
    }

    /// Sets the height in metres above the ellipsoid.
    #[must_use]
    pub const fn with_hae(mut self, metres: f64) -> Self {
        self.hae = Some(metres);
        self
    }

    /// Sets the horizontal error in metres.
    #[must_use]
    pub const fn with_ce(mut self, metres: f64) -> Self {
        self.ce = Some(metres);
        self
    }

    /// Sets the vertical error in metres.
    #[must_use]
    pub const fn with_le(mut self, metres: f64) -> Self {
        self.le = Some(metres);
        self
    }

    /// Reads `<point>`.
    pub(crate) fn read(element: &Element) -> Result<Self, ParseError> {
        let degrees = |name: &'static str, bound: f64, expected: &'static str| {
            let text = element.attribute(name).ok_or(ParseError::MissingAttribute { name })?;
            let value = number(text).filter(|value| value.abs() <= bound);
            value.ok_or(ParseError::InvalidAttribute { name, expected })
        };
        let metres = |name| element.attribute(name).and_then(known);
        Ok(Self {
            lat: degrees("lat", 90.0, "a number of degrees from -90 to 90")?,
            lon: degrees("lon", 180.0, "a number of degrees from -180 to 180")?,
            hae: metres("hae"),
            ce: metres("ce"),
            le: metres("le"),
        })
    }

    /// Writes into `<point>`. An attribute that already means the value keeps its text.
    ///
    /// Degrees out of range are brought to the nearest end of it, degrees that are not a number to
    /// zero: the result can always be read back.
    pub(crate) fn write(&self, element: &mut Element) {
        for (name, value, bound) in [("lat", self.lat, 90.0), ("lon", self.lon, 180.0)] {
            let value = if value.is_nan() { 0.0 } else { value.clamp(-bound, bound) };
            if element.attribute(name).and_then(number) != Some(value) {
                element.set_attribute(name, format!("{value:?}"));
            }
        }
        for (name, value) in [("hae", self.hae), ("ce", self.ce), ("le", self.le)] {
            let value = value.filter(|value| value.abs() < UNKNOWN_FROM);
            let present = element.attribute(name);
            if present.is_none() || present.and_then(known) != value {
                let text = value.map_or_else(|| UNKNOWN.to_owned(), |value| format!("{value:?}"));
                element.set_attribute(name, text);
            }
        }
    }
}

/// A finite number, blanks around it allowed: some clients write them.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.trim_ascii().parse().ok().filter(|value: &f64| value.is_finite())
}

/// A length in metres, unless it stands for the unknown.
fn known(text: &str) -> Option<f64> {
    number(text).filter(|&value| value < UNKNOWN_FROM)
}
