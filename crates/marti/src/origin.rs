//! Requests that a web page had a browser make.
//!
//! A browser sends a request to any server for any page, with the page's origin when that is
//! another. Nothing of a server is changed for a page of another host, also not by GET, which
//! clients use to delete.

use http::header::{self, HeaderValue, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

use crate::answer::{self, Answer};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Whether a request may change something: it was made by no web page, by one of this server, or
/// by one that is allowed. `base_url` is what the request called this server.
pub(crate) fn may_change(headers: &HeaderMap, base_url: &str, allowed: &[String]) -> bool {
    if let Some(origin) = headers.get(ORIGIN) {
        return origin.to_str().is_ok_and(|origin| is_allowed(origin, base_url, allowed));
    }
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none")) || allowed.iter().any(|one| one == "*")
}

/// Whether pages of this origin may read answers.
pub(crate) fn is_allowed(origin: &str, base_url: &str, allowed: &[String]) -> bool {
    origin.eq_ignore_ascii_case(base_url)
        || allowed.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(origin))
}

/// The answer to a browser that asks whether a page of an allowed origin may send what it is about
/// to send; `None` for every other request.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Answer> {
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    if *method != Method::OPTIONS {
        return None;
    }
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    let allowed = answer.headers_mut();
    allowed.insert(header::ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
    if let Some(names) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        [(header::HeaderName::from_static(name), HeaderValue::from_static(value))]
            .into_iter()
            .collect()
    }

    #[test]
    fn t23_pages_of_other_hosts_change_nothing() {
        let base = "http://10.1.2.3:8080";
        let none: [String; 0] = [];
        let tools = ["https://tools.example".to_owned()];
        assert!(may_change(&HeaderMap::new(), base, &none));
        assert!(may_change(&with("origin", base), base, &none));
        assert!(may_change(&with("sec-fetch-site", "same-origin"), base, &none));
        assert!(may_change(&with("origin", "https://tools.example"), base, &tools));
        for origin in ["http://evil.example", "null", "http://10.1.2.3", "http://10.1.2.3:80801"] {
            assert!(!may_change(&with("origin", origin), base, &none), "{origin}");
        }
        assert!(!may_change(&with("sec-fetch-site", "cross-site"), base, &tools));
    }
}
