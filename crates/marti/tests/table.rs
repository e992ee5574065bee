//! Walks the table of routes (T25): every row needs what it says, and what is in no row does not
//! exist.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that is wrong has failed"
)]

use std::sync::Arc;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use marti::{Access, Caller, Marti, MartiConfig, Route, routes};
use relay::server::Relay;
use relay::{HubConfig, TeamPolicy};
use serde_json::Value;
use store::packages::{MemoryPackages, PackagesConfig};
use tower_service::Service;

/// Rows that anybody may use, without being known.
const PUBLIC: [&str; 5] = [
    "/",
    "/index.html",
    "/Marti/api/version",
    "/Marti/api/version/config",
    "/Marti/api/version/info",
];

/// Rows that say that there is no such thing here, and the only ones that do.
const ABSENT: [&str; 3] = [
    "/Marti/api/missions/{name}",
    "/Marti/api/missions/{name}/{*rest}",
    "/Marti/api/subscriptions/{client}/filter",
];

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    /// Empty for streams, which have no end.
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn marti(policy: TeamPolicy) -> Marti<MemoryPackages> {
    let mut hub = HubConfig::default();
    hub.teams = policy;
    let (relay, driver) = Relay::new(hub);
    tokio::spawn(driver.run());
    let packages = Arc::new(MemoryPackages::new(PackagesConfig::default()));
    Marti::new(MartiConfig::default(), relay, packages)
}

async fn send(
    marti: &Marti<MemoryPackages>,
    method: &Method,
    path: &str,
    caller: Option<Caller>,
    origin: Option<&str>,
) -> Reply {
    let host = ("host", "10.1.2.3:8080");
    let headers: Vec<_> =
        origin.map(|origin| ("origin", origin)).into_iter().chain([host]).collect();
    send_with(marti, method, path, caller, &headers).await
}

async fn send_with(
    marti: &Marti<MemoryPackages>,
    method: &Method,
    path: &str,
    caller: Option<Caller>,
    headers: &[(&str, &str)],
) -> Reply {
    let mut request = Request::builder().method(method.clone()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Full::<bytes::Bytes>::default()).unwrap();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let Ok(answer) = marti.clone().call(request).await;
    let (parts, body) = answer.into_parts();
    let is_stream = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let body = match is_stream {
        true => Vec::new(),
        false => body.collect().await.unwrap().to_bytes().to_vec(),
    };
    Reply { status: parts.status, headers: parts.headers, body }
}

/// A path of this row, with something in place of each name.
fn path(route: &Route) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{') {
        Some("hash}") => "0".repeat(64),
        Some("*rest}") => "contents/more".to_owned(),
        Some(_) => "one".to_owned(),
        None => segment.to_owned(),
    };
    route.path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn user() -> Caller {
    Caller::user("alice", ["Cyan"])
}

#[tokio::test]
async fn t25_every_row_needs_what_it_says() {
    let marti = marti(TeamPolicy::isolated());
    for route in routes() {
        let (path, row) = (path(route), format!("{} {}", route.method, route.path));
        let stranger = send(&marti, &route.method, &path, None, None).await;
        let known = send(&marti, &route.method, &path, Some(user()), None).await;
        match route.access {
            Access::Public => {
                assert_eq!(stranger.status, StatusCode::OK, "{row}");
                assert!(!route.changes, "{row}");
            }
            _ => {
                assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{row}");
                assert_eq!(stranger.json()["code"], 9, "{row}");
            }
        }
        let is_refused = known.status == StatusCode::FORBIDDEN;
        assert_eq!(is_refused, route.access == Access::Operator, "{row}: {}", known.status);
        assert_ne!(known.status, StatusCode::UNAUTHORIZED, "{row}");
    }
    let public: Vec<_> = routes()
        .iter()
        .filter(|route| route.access == Access::Public)
        .map(|route| route.path)
        .collect();
    assert_eq!(public, PUBLIC);
}

#[tokio::test]
async fn t25_every_row_answers_the_plainest_request_in_its_own_words() {
    for policy in [TeamPolicy::open(), TeamPolicy::isolated()] {
        let marti = marti(policy);
        for route in routes() {
            let row = format!("{} {}", route.method, route.path);
            for caller in [user(), Caller::operator()] {
                let reply = send(&marti, &route.method, &path(route), Some(caller), None).await;
                let text = String::from_utf8_lossy(&reply.body);
                assert!(!text.contains("to come"), "{row}: {text}");
                if reply.status.is_server_error() {
                    assert_eq!(reply.status, StatusCode::NOT_IMPLEMENTED, "{row}: {text}");
                    assert!(ABSENT.contains(&route.path), "{row}: {text}");
                }
                // What is said to a program that forgot to ask for a WebSocket is in the headers.
                let is_said = reply.status == StatusCode::UPGRADE_REQUIRED;
                if !reply.status.is_success() && !is_said {
                    assert!(reply.json()["message"].is_string(), "{row}: {text}");
                }
                let kind = reply.headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap());
                assert!(kind.is_none_or(|kind| !kind.contains("html")), "{row}: {kind:?}");
                assert!(!reply.status.is_redirection(), "{row}");
                assert!(!reply.headers.contains_key("content-encoding"), "{row}");
                assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{row}");
            }
        }
    }
}

#[tokio::test]
async fn t25_what_is_in_no_row_does_not_exist() {
    let marti = marti(TeamPolicy::open());
    let paths = [
        "/Marti",
        "/Marti/",
        "/marti/api/version",
        "/Marti/api/certadmin/cert",
        "/Marti/api/inputs",
        "/Marti/api/xmpp/transfer/a/b",
        "/update/product.infz",
        "/ManageRoute/postRoute",
        "/Marti/sync/../../etc/passwd",
        "/Marti/sync/%2e%2e/%2e%2e/etc/passwd",
        "/webtak/index.html",
        "/%ff",
    ];
    for path in paths {
        for caller in [None, Some(user()), Some(Caller::operator())] {
            let reply = send(&marti, &Method::GET, path, caller, None).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
            let body = reply.json();
            assert_eq!((&body["status"], &body["code"]), (&"NOT_FOUND".into(), &1.into()));
        }
    }
}

#[tokio::test]
async fn t25_another_method_is_refused_with_those_there_are() {
    let marti = marti(TeamPolicy::open());
    for route in routes() {
        let reply = send(&marti, &Method::PATCH, &path(route), Some(user()), None).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{}", route.path);
        let allowed = reply.headers[ALLOW].to_str().unwrap();
        assert!(allowed.split(", ").any(|one| one == route.method.as_str()), "{allowed}");
        assert_eq!(reply.json()["status"], "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn k10_head_goes_where_get_does_and_has_no_body() {
    let marti = marti(TeamPolicy::open());
    for route in routes().iter().filter(|route| route.method == Method::GET) {
        let get = send(&marti, &Method::GET, &path(route), Some(user()), None).await;
        let head = send(&marti, &Method::HEAD, &path(route), Some(user()), None).await;
        if route.changes {
            assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED, "{}", route.path);
            continue;
        }
        assert_eq!(head.status, get.status, "{}", route.path);
        // The server leaves the body of an answer out; that of a failure is none from the start.
        assert!(head.body.is_empty() || head.status.is_success(), "{}", route.path);
        let kind = |reply: &Reply| reply.headers.get(CONTENT_TYPE).cloned();
        assert_eq!(kind(&head), kind(&get), "{}", route.path);
    }
}

#[tokio::test]
async fn t23_pages_of_other_servers_change_nothing() {
    let marti = marti(TeamPolicy::open());
    let evil = Some("http://evil.example");
    for route in routes() {
        for caller in [user(), Caller::operator()] {
            let row = format!("{} {} as {:?}", route.method, route.path, caller.role);
            let reply = send(&marti, &route.method, &path(route), Some(caller.clone()), evil).await;
            let own = send(&marti, &route.method, &path(route), Some(caller), None).await;
            let expected = if route.changes { StatusCode::FORBIDDEN } else { own.status };
            assert_eq!(reply.status, expected, "{row}");
            assert!(!reply.headers.contains_key("access-control-allow-origin"), "{row}");
        }
    }
    for route in routes().iter().filter(|route| route.method != Method::GET) {
        let reads = ["/Marti/api/cot", "/Marti/ExportMissionKML"];
        let is_reading = reads.contains(&route.path) || ABSENT.contains(&route.path);
        let is_absent = route.path.starts_with("/Marti/api/missions");
        assert!(route.changes || is_reading || is_absent, "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn t23_images_of_other_pages_delete_nothing() {
    let marti = marti(TeamPolicy::open());
    let path = "/Marti/sync/delete?PrimaryKey=1";
    let (host, browser) = (("host", "10.1.2.3:8080"), ("user-agent", "Mozilla/5.0"));
    for caller in [user(), Caller::operator(), Caller::plain([10, 1, 2, 4].into())] {
        for (headers, is_refused) in [
            (vec![host], false),
            (vec![host, ("user-agent", "Dalvik/2.1.0")], false),
            (vec![host, browser, ("referer", "http://10.1.2.3:8080/mine")], false),
            (vec![host, browser, ("referer", "http://evil.example/")], true),
            (vec![host, browser], true),
        ] {
            let reply = send_with(&marti, &Method::GET, path, Some(caller.clone()), &headers).await;
            assert_eq!(reply.status == StatusCode::FORBIDDEN, is_refused, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn t23_a_page_whose_name_leads_here_is_shown_nothing() {
    let marti = marti(TeamPolicy::open());
    let plain = || Caller::plain([10, 1, 2, 4].into());
    let mut secure = plain();
    secure.is_tls = true;
    let host = ("host", "evil.example:8080");
    let page = [host, ("origin", "http://evil.example:8080")];
    let reads = [host, ("sec-fetch-site", "same-origin")];
    for route in routes() {
        for headers in [&page[..], &reads] {
            let path = path(route);
            let reply = send_with(&marti, &route.method, &path, Some(plain()), headers).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", route.path);
            let text = reply.json()["message"].to_string();
            assert!(text.contains("`public_url`"), "{text}");
        }
    }
    let version = "/Marti/api/version";
    for (caller, headers) in [
        (plain(), &[host][..]),
        (plain(), &[host, ("user-agent", "curl/8.5.0")]),
        (secure, &reads),
        (user(), &reads),
        (Caller::operator(), &reads),
    ] {
        let reply = send_with(&marti, &Method::GET, version, Some(caller.clone()), headers).await;
        assert_eq!(reply.status, StatusCode::OK, "{caller:?} {headers:?}");
    }
}

#[test]
fn every_route_is_in_the_documentation() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/marti.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for route in routes() {
        let (method, path) = (format!("`{}`", route.method), format!("`{}`", route.path));
        let found: Vec<_> = rows
            .iter()
            .map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
            .filter(|cells| cells[1].split(' ').any(|one| one == path))
            .filter(|cells| cells[2].split(", ").any(|one| one == route.method.as_str()))
            .collect();
        assert_eq!(found.len(), 1, "{method} {path} must have one row of docs/marti.md");
        let access = match route.access {
            Access::Public => "anybody",
            Access::User => "user",
            _ => "operator",
        };
        let changes = if route.changes { ", changes" } else { "" };
        assert_eq!(found[0][3], format!("{access}{changes}"), "{method} {path}");
    }
}
