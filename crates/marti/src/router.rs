//! From a path to a row of the table of routes.

use std::collections::BTreeMap;

use http::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;
use crate::routes::{ROUTES, Route};

/// Finds routes by path.
#[derive(Debug)]
pub(crate) struct Paths {
    router: Router<Vec<&'static Route>>,
}

/// A route, and what stands for the names in its path.
pub(crate) struct Found {
    pub(crate) route: &'static Route,
    pub(crate) params: BTreeMap<&'static str, String>,
}

impl Paths {
    /// Takes the whole table.
    ///
    /// # Panics
    ///
    /// When two rows contradict each other; a test makes one.
    pub(crate) fn new() -> Self {
        let mut by_path: BTreeMap<&'static str, Vec<&'static Route>> = BTreeMap::new();
        for route in ROUTES {
            by_path.entry(route.path).or_default().push(route);
        }
        let mut router = Router::new();
        for (path, routes) in by_path {
            router.insert(path, routes).expect("the table of routes has no contradictions");
        }
        Self { router }
    }

    /// The route of a request. Doubled slashes and one at the end are forgiven, and each segment is
    /// decoded once (marti-api 0.2.7).
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<Found, ApiError> {
        let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let plain = format!("/{}", segments.join("/"));
        let unknown = || ApiError::NotFound(format!("there is no path {}", shown(path)));
        let found = self.router.at(&plain).map_err(|_| unknown())?;
        let is_for = |route: &&&Route| {
            route.method == *method || (*method == Method::HEAD && route.method == Method::GET)
        };
        let Some(route) = found.value.iter().find(is_for) else {
            let allowed: Vec<_> = found.value.iter().map(|route| route.method.as_str()).collect();
            let allowed = allowed.join(", ");
            return Err(ApiError::MethodNotAllowed { method: method.to_string(), allowed });
        };
        let mut params = BTreeMap::new();
        for name in names(route.path) {
            let raw = found.params.get(name).unwrap_or_default();
            let value = percent_decode_str(raw).decode_utf8();
            let value = value.map_err(|_| ApiError::BadRequest(format!("{name} is no UTF-8")))?;
            params.insert(name, value.into_owned());
        }
        Ok(Found { route, params })
    }
}

/// The names in a route's path: `{hash}`, and `{*rest}` for all that is left.
fn names(path: &'static str) -> impl Iterator<Item = &'static str> {
    let name = |segment: &'static str| segment.strip_prefix('{')?.strip_suffix('}');
    path.split('/').filter_map(name).map(|name| name.trim_start_matches('*'))
}

/// The beginning of what a peer sent, for a message.
fn shown(path: &str) -> String {
    path.chars().take(120).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_forgiven_and_segments_decoded_once() {
        let paths = Paths::new();
        for path in ["/Marti/sync/content", "//Marti//sync/content/", "/Marti/sync/content//"] {
            assert_eq!(paths.find(&Method::GET, path).unwrap().route.path, "/Marti/sync/content");
        }
        let found = paths.find(&Method::GET, "/Marti/api/cot/xml/a%252Fb%2F+%C3%A9").unwrap();
        assert_eq!(found.params["uid"], "a%2Fb/+é");
        assert!(paths.find(&Method::GET, "/Marti/api/cot/xml/%ff").is_err());
    }

    #[test]
    fn a_path_that_is_not_in_the_table_does_not_exist() {
        let paths = Paths::new();
        for path in ["/nothing", "/Marti", "/marti/sync/content", "/Marti/sync/content/x", "/.."] {
            let error = paths.find(&Method::GET, path).err().unwrap();
            assert!(matches!(error, ApiError::NotFound(_)), "{path}");
        }
        let error = paths.find(&Method::PATCH, "/Marti/sync/content").err().unwrap();
        assert!(matches!(error, ApiError::MethodNotAllowed { .. }));
    }
}
