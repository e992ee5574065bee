//! Requests that a web page had a browser make.
//!
//! A browser sends a request to any server for any page, with the page's origin when that is
//! another, but for what looks like the loading of an image or the following of a link. Nothing of
//! a server is changed for a page of another host, also not by GET, which clients use to delete.
//! Nor is anything shown to a page whose host has been made to lead here (DNS rebinding).

use std::net::IpAddr;

use http::header::{self, HeaderValue, ORIGIN, REFERER};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::MartiConfig;
use crate::answer::{self, Answer};

const SEC_FETCH_MODE: &str = "sec-fetch-mode";
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Whether a request may change something: it was made by no web page, by one of this server, or
/// by one that is allowed. `base_url` is what the request called this server.
pub(crate) fn may_change(
    method: &Method,
    headers: &HeaderMap,
    base_url: &str,
    allowed: &[String],
) -> bool {
    if let Some(origin) = headers.get(ORIGIN) {
        return origin.to_str().is_ok_and(|origin| is_allowed(origin, base_url, allowed));
    }
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    let is_own = site == Some(b"same-origin");
    if !is_own && !matches!(site, None | Some(b"none")) {
        return allowed.iter().any(|one| one == "*");
    }
    // No image or link can ask for a WebSocket, and browsers say for which page they do.
    let may_be_link = *method == Method::GET && !headers.contains_key(header::UPGRADE);
    match headers.get(REFERER) {
        Some(page) => page.to_str().is_ok_and(|page| is_page_of(page, base_url, allowed)),
        // Without a page it may be a link in a mail, or a page that hides itself.
        None => is_own || !may_be_link || !is_of_browser(headers),
    }
}

/// Whether the name by which a request asks for this server is one that nobody else can lead here.
/// Programs other than browsers may use any: they ask for what their user wants.
pub(crate) fn may_call_it_so(headers: &HeaderMap, base_url: &str, config: &MartiConfig) -> bool {
    let is_websocket = headers
        .get(header::UPGRADE)
        .is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let is_of_page = headers.contains_key(ORIGIN) || is_websocket || has_mark_of_browser(headers);
    let host = host_of(authority_of(base_url));
    let is_listed = || {
        let listed = config.allowed_origins.iter().chain(&config.public_url);
        let is_it = |one: &String| {
            let uri = one.parse::<Uri>().ok();
            one == "*" || uri.is_some_and(|uri| uri.host().map(str::to_ascii_lowercase) == host)
        };
        listed.clone().any(is_it)
    };
    !is_of_page || host.as_deref().is_some_and(is_local) || is_listed()
}

/// Whether a name means a host by its address, or a host that is near.
fn is_local(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok() || !name.contains('.') || name.ends_with(".local")
}

/// What browsers alone send. `Sec-Fetch-Mode` is none of that: Node.js sends it, and so CloudTAK.
fn has_mark_of_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_mark = |name: &str| name.starts_with("sec-") && name != SEC_FETCH_MODE;
    agent.starts_with(b"Mozilla/") || headers.keys().any(|name| is_mark(name.as_str()))
}

/// What browsers send, and few others. Any language at all is what Node.js asks for, and no browser.
fn is_of_browser(headers: &HeaderMap) -> bool {
    let languages = headers.get(header::ACCEPT_LANGUAGE).map(HeaderValue::as_bytes);
    let has_languages = !matches!(languages, None | Some(b"*"));
    has_mark_of_browser(headers) || has_languages || headers.contains_key(header::COOKIE)
}

/// Whether a page is one of this server, by whatever scheme, or of an allowed origin.
fn is_page_of(page: &str, base_url: &str, allowed: &[String]) -> bool {
    let Some((scheme, _)) = page.split_once("://") else { return false };
    let authority = authority_of(page);
    authority.eq_ignore_ascii_case(authority_of(base_url))
        || is_allowed(&format!("{scheme}://{authority}"), base_url, allowed)
}

/// `host:port` of a URL.
fn authority_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The host of `host:port`, in lower case.
fn host_of(authority: &str) -> Option<String> {
    Some(authority.parse::<Authority>().ok()?.host().to_ascii_lowercase())
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
        let post = Method::POST;
        assert!(may_change(&post, &HeaderMap::new(), base, &none));
        assert!(may_change(&post, &with("origin", base), base, &none));
        assert!(may_change(&post, &with("sec-fetch-site", "same-origin"), base, &none));
        assert!(may_change(&post, &with("origin", "https://tools.example"), base, &tools));
        for origin in ["http://evil.example", "null", "http://10.1.2.3", "http://10.1.2.3:80801"] {
            assert!(!may_change(&post, &with("origin", origin), base, &none), "{origin}");
        }
        assert!(!may_change(&post, &with("sec-fetch-site", "cross-site"), base, &tools));
    }

    #[test]
    fn t23_links_and_images_of_other_pages_change_nothing() {
        let base = "http://10.1.2.3:8080";
        let tools = ["https://tools.example".to_owned()];
        let may = |lines: &[(&'static str, &'static str)]| {
            let headers = lines.iter().flat_map(|(name, value)| with(name, value));
            let headers = headers.filter_map(|(name, value)| Some((name?, value))).collect();
            may_change(&Method::GET, &headers, base, &tools)
        };
        let browser = ("user-agent", "Mozilla/5.0 (X11; Linux)");
        let from = |page| ("referer", page);
        assert!(may(&[]));
        assert!(may(&[("user-agent", "Dalvik/2.1.0"), ("accept", "*/*")]));
        assert!(may(&[
            ("user-agent", "node"),
            ("accept-language", "*"),
            ("sec-fetch-mode", "cors"),
            ("accept-encoding", "gzip, deflate"),
        ]));
        for page in ["http://10.1.2.3:8080/", "https://10.1.2.3:8080", "https://tools.example/a?b"]
        {
            assert!(may(&[from(page)]) && may(&[browser, from(page)]), "{page}");
        }
        assert!(may(&[browser, ("sec-fetch-site", "same-origin")]));
        assert!(!may(&[browser]));
        assert!(!may(&[browser, ("sec-fetch-site", "none")]));
        for mark in [("accept-language", "en"), ("cookie", "a=b"), ("sec-fetch-dest", "image")] {
            assert!(!may(&[mark]), "{mark:?}");
        }
        for page in [
            "http://evil.example/",
            "http://10.1.2.3:8080.evil.example/",
            "http://evil.example/http://10.1.2.3:8080/",
            "http://evil.example?://10.1.2.3:8080",
            "http://a@10.1.2.3:8080/",
            "https://tools.example.evil.example/",
            "10.1.2.3:8080",
            "",
        ] {
            assert!(!may(&[from(page)]), "{page}");
        }
    }

    #[test]
    fn t23_a_page_cannot_give_the_server_a_name() {
        let config = MartiConfig {
            public_url: Some("http://tak.example.org:8080".to_owned()),
            allowed_origins: vec!["https://Tools.example".to_owned()],
            ..MartiConfig::default()
        };
        let near = ["10.1.2.3", "10.1.2.3:8080", "[::1]:80", "localhost:1", "pi:8080", "Pi.LOCAL"];
        let listed = ["tak.example.org", "TAK.example.org:1", "tools.example:8080"];
        let far = ["evil.example:8080", "10.1.2.3.evil.example", "local.evil", "tak.example.org.a"];
        let marks = [
            ("origin", "http://evil.example:8080"),
            ("sec-fetch-site", "same-origin"),
            ("upgrade", "WebSocket"),
            ("user-agent", "Mozilla/5.0"),
        ];
        for (name, value) in marks {
            let may =
                |host: &str| may_call_it_so(&with(name, value), &format!("http://{host}"), &config);
            for host in near.iter().chain(&listed) {
                assert!(may(host), "{name}: {host}");
            }
            for host in far {
                assert!(!may(host), "{name}: {host}");
            }
        }
        for headers in
            [HeaderMap::new(), with("user-agent", "curl/8"), with("sec-fetch-mode", "cors")]
        {
            assert!(may_call_it_so(&headers, "http://evil.example", &config));
        }
    }
}
