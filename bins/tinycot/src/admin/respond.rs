//! One request, one answer.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use keeper::Condition;
use prometheus_client::encoding::text::encode;
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_service::Service;

use super::Admin;
use super::api::{ClientRow, ContactRow, StatsTable, TeamRow, packages};

/// Time in which a relay's thread that is alive answers.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every path there is.
const PATHS: [&str; 7] =
    ["/live", "/ready", "/metrics", "/api/clients", "/api/contacts", "/api/teams", "/api/stats"];

type Answer = Response<Full<Bytes>>;

impl Admin {
    /// Answers a request, which may be for the Marti API.
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> Response<Either<Full<Bytes>, marti::Body>> {
        let path = request.uri().path();
        let is_marti = ["/Marti", "/files"].iter().any(|prefix| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !is_marti {
            return self.respond(&request).await.map(Either::Left);
        }
        let refuse = |status: StatusCode, message: &str| {
            // As the API itself says it.
            let word = status.canonical_reason().unwrap_or_default();
            let word = word.to_uppercase().replace(' ', "_");
            json_answer(status, &json!({ "status": word, "message": message })).map(Either::Left)
        };
        if !is_local_name(request.headers()) {
            let message = "the Host header must be an IP address or `localhost`";
            return refuse(StatusCode::FORBIDDEN, message);
        }
        if !self.token.is_borne(request.headers()) {
            let message = "this needs `Authorization: Bearer TOKEN`, with the token that is in \
                           admin.token of the server's data directory";
            return refuse(StatusCode::UNAUTHORIZED, message);
        }
        if self.packages.is_off() {
            let message = "this server shares no data packages: http_listen is off, or another \
                           program has its port";
            return refuse(StatusCode::SERVICE_UNAVAILABLE, message);
        }
        let Some(marti) = self.packages.opened().await else {
            let message = "the store of data packages is not open yet; /ready says what is wrong";
            return refuse(StatusCode::SERVICE_UNAVAILABLE, message);
        };
        request.extensions_mut().insert(marti::Caller::operator());
        match marti.clone().call(request).await {
            Ok(answer) => answer.map(Either::Right),
            Err(never) => match never {},
        }
    }

    async fn respond<B>(&self, request: &Request<B>) -> Answer {
        if !is_local_name(request.headers()) {
            let error = "the Host header must be an IP address or `localhost`";
            return json_answer(StatusCode::FORBIDDEN, &json!({ "error": error }));
        }
        let path = request.uri().path();
        if !PATHS.contains(&path) {
            let body = json!({ "error": "there is no such path", "paths": PATHS });
            return json_answer(StatusCode::NOT_FOUND, &body);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let body = json!({ "error": "only GET and HEAD are allowed" });
            let mut answer = json_answer(StatusCode::METHOD_NOT_ALLOWED, &body);
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let relay = &self.relay;
        match path {
            "/live" => status(self.is_alive().await, "live", "the relay does not answer"),
            "/ready" => self.ready().await,
            "/metrics" => self.metrics(),
            "/api/clients" => {
                let mut rows: Vec<_> = relay.clients().into_iter().map(ClientRow::from).collect();
                rows.sort_by_key(|row| row.id);
                json_answer(StatusCode::OK, &rows)
            }
            "/api/contacts" => {
                let mut rows: Vec<_> = relay.contacts().into_iter().map(ContactRow::from).collect();
                rows.sort_by(|a, b| (&a.callsign, &a.uid).cmp(&(&b.callsign, &b.uid)));
                json_answer(StatusCode::OK, &rows)
            }
            "/api/teams" => {
                let mut rows: Vec<_> = relay.teams().into_iter().map(TeamRow::from).collect();
                rows.sort_by(|a, b| a.name.cmp(&b.name));
                json_answer(StatusCode::OK, &rows)
            }
            _ => {
                let shared = packages::tables(&self.packages).await;
                let problems = self.problems().await;
                let table =
                    StatsTable::new(&relay.stats(), &self.monitor.stats(), shared, problems);
                json_answer(StatusCode::OK, &table)
            }
        }
    }

    /// Trouble with the storage does not take the server out of service: the relay works.
    async fn ready(&self) -> Answer {
        if *self.stopped.borrow() {
            return status(false, "ready", "stopping");
        }
        let problems = self.problems().await;
        if problems.is_empty() {
            return status(true, "ready", "stopping");
        }
        let body = json!({ "status": "degraded", "problems": problems });
        json_answer(StatusCode::OK, &body)
    }

    /// What cannot be stored at the moment, for an operator.
    async fn problems(&self) -> Vec<String> {
        let health = self.monitor.health();
        let parts = [("state", health.state), ("dump", health.dump)];
        let stored = parts.into_iter().filter_map(|(part, condition)| problem(part, &condition));
        stored.chain(self.packages.problem().await).collect()
    }

    fn metrics(&self) -> Answer {
        let mut text = String::new();
        match encode(&mut text, &self.metrics) {
            Ok(()) => answer(StatusCode::OK, OPEN_METRICS, text.into()),
            Err(_) => {
                let body = json!({ "error": "the metrics cannot be written" });
                json_answer(StatusCode::INTERNAL_SERVER_ERROR, &body)
            }
        }
    }

    async fn is_alive(&self) -> bool {
        let (probe, answered) = oneshot::channel();
        self.probe.try_send(probe).is_ok()
            && timeout(ALIVE_WITHIN, answered).await.is_ok_and(|answer| answer.is_ok())
    }
}

/// Whether a request names this server in a way that no web page can bring about: by an IP address
/// or as `localhost`.
fn is_local_name(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(authority) = host.to_str().unwrap_or_default().parse::<hyper::http::uri::Authority>()
    else {
        return false;
    };
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok()
        || bare.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())
}

fn problem(part: &str, condition: &Condition) -> Option<String> {
    match condition {
        Condition::Degraded { lasting, why } => {
            Some(format!("{part}: {why} (for {} s)", lasting.as_secs()))
        }
        _ => None,
    }
}

fn status(good: bool, yes: &str, no: &str) -> Answer {
    match good {
        true => json_answer(StatusCode::OK, &json!({ "status": yes })),
        false => json_answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": no })),
    }
}

fn json_answer(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(bytes) => answer(status, JSON, bytes.into()),
        Err(_) => answer(StatusCode::INTERNAL_SERVER_ERROR, JSON, Bytes::from_static(b"{}")),
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        is_local_name(&headers)
    }

    #[test]
    fn only_addresses_and_localhost_are_names_of_this_server() {
        for host in
            ["127.0.0.1", "127.0.0.1:8088", "[::1]:8088", "localhost", "LOCALHOST:1", "10.1.2.3"]
        {
            assert!(accepts(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example:8088", "", "127.0.0.1.nip.io", "a b", "[x]"]
        {
            assert!(!accepts(host), "{host}");
        }
    }

    #[test]
    fn no_host_and_two_hosts_are_refused() {
        let mut headers = HeaderMap::new();
        assert!(!is_local_name(&headers));
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(!is_local_name(&headers));
    }
}
