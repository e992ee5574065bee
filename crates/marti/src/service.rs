//! The API as a service.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use relay::server::Relay;
use store::packages::PackageStore;
use tower_service::Service;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::budget::{Budget, Room};
use crate::error::ApiError;
use crate::pace::Paced;
use crate::query::Query;
use crate::rest::Lent;
use crate::router::Paths;
use crate::routes::{self, Access, Shared};
use crate::serve::Stopping;
use crate::stats::Counters;
use crate::{Body, Caller, History, MartiConfig, MartiStats, Role, origin};

/// Answers that may wait for those who asked, in all; and bodies for the rest of them. Bytes.
const MAX_WAITING: usize = 16 << 20;

/// The same for one address.
const MAX_WAITING_PER_ADDR: usize = 8 << 20;

/// What a browser is told that asks for this server by a name that may be anybody's.
const STRANGE_NAME: &str = "browsers may use this server by its IP address, or by the name in \
    `public_url` or `allowed_origins` of its configuration; it does not know this one";

/// The Marti API. Clones share everything.
///
/// It answers every request, so that its error is [`Infallible`]. Who calls is a request extension:
/// a [`Caller`].
pub struct Marti<P> {
    inner: Arc<Inner<P>>,
}

/// What handlers work with.
pub(crate) struct Inner<P> {
    pub(crate) config: MartiConfig,
    pub(crate) relay: Relay,
    pub(crate) packages: Arc<P>,
    pub(crate) history: Option<Arc<dyn History>>,
    pub(crate) counters: Arc<Counters>,
    /// What handlers keep from one request to the next.
    pub(crate) shared: Shared,
    paths: Paths,
    pub(crate) budget: Budget,
    /// Of bodies that are needed as a whole.
    bodies: Budget,
}

impl<P: PackageStore> Marti<P> {
    /// Makes the API of a relay and a store of packages.
    pub fn new(config: MartiConfig, relay: Relay, packages: Arc<P>) -> Self {
        Self::build(config, relay, packages, None)
    }

    /// The same, with events by time.
    pub fn with_history(
        config: MartiConfig,
        relay: Relay,
        packages: Arc<P>,
        history: Arc<dyn History>,
    ) -> Self {
        Self::build(config, relay, packages, Some(history))
    }

    fn build(
        config: MartiConfig,
        relay: Relay,
        packages: Arc<P>,
        history: Option<Arc<dyn History>>,
    ) -> Self {
        let inner = Inner {
            shared: Shared::new(&config),
            config,
            relay,
            packages,
            history,
            counters: Arc::default(),
            paths: Paths::new(),
            budget: Budget::new(MAX_WAITING, MAX_WAITING_PER_ADDR),
            bodies: Budget::new(MAX_WAITING, MAX_WAITING_PER_ADDR),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Its settings.
    pub fn config(&self) -> &MartiConfig {
        &self.inner.config
    }

    /// Counters.
    pub fn stats(&self) -> MartiStats {
        self.inner.counters.read()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    pub(crate) fn shared_counters(&self) -> Arc<Counters> {
        self.inner.counters.clone()
    }
}

impl<P: PackageStore> Inner<P> {
    async fn respond<B>(self: Arc<Self>, mut request: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let upgrade = request
            .headers()
            .contains_key(header::UPGRADE)
            .then(|| hyper::upgrade::on(&mut request));
        let (parts, body) = request.into_parts();
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let caller = parts.extensions.get::<Caller>().cloned();
        let addr = caller.as_ref().and_then(|caller| caller.addr);
        let stopping = parts.extensions.get::<Stopping>().cloned();
        let base_url = base_url(&parts.headers, caller.as_ref().is_some_and(|one| one.is_tls));
        let is_head = parts.method == Method::HEAD;
        let is_awaited = parts.headers.contains_key(header::EXPECT);
        let (body, rest) = Lent::new(Paced::new(body, self.config.body_patience));
        let body = body.boxed_unsync();
        let is_allowed = origin.as_ref().is_some_and(|origin| self.is_readable_by(origin));
        let preflight = is_allowed.then(|| origin::preflight(&parts.method, &parts.headers));
        let answered = async {
            let base_url = base_url?;
            if caller.as_ref().is_some_and(is_plain)
                && !origin::may_call_it_so(&parts.headers, &base_url, &self.config)
            {
                return Err(ApiError::Forbidden(STRANGE_NAME.to_owned()));
            }
            if let Some(Some(answer)) = preflight {
                return Ok(answer);
            }
            let found = self.paths.find(&parts.method, parts.uri.path())?;
            let caller = admit(found.route.access, caller)?;
            let allowed = &self.config.allowed_origins;
            if (found.route.changes || upgrade.is_some())
                && !origin::may_change(&parts.method, &parts.headers, &base_url, allowed)
            {
                let text = "pages of other servers may not do this; see `allowed_origins`";
                return Err(ApiError::Forbidden(text.to_owned()));
            }
            let ask = Ask {
                query: Query::parse(parts.uri.query().unwrap_or_default().as_bytes()),
                method: parts.method,
                headers: parts.headers,
                params: found.params,
                caller,
                base_url: self.config.public_url.clone().unwrap_or(base_url),
                body,
                room: self.bodies.room(addr),
                upgrade,
                stopping,
            };
            routes::handle(self.clone(), found.route.endpoint, ask).await
        };
        let mut answer = answered.await.unwrap_or_else(ApiError::into_answer);
        if let Some(bytes) = answer.body_mut().as_whole_mut().filter(|_| !is_head) {
            match self.budget.hold(std::mem::take(bytes), addr) {
                Some(held) => *bytes = held,
                None => answer = ApiError::too_much().into_answer(),
            }
        }
        self.counters.answered(answer.status());
        let is_last = answer.headers().contains_key(header::CONNECTION);
        if rest.read(is_last, is_awaited) && !is_last {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(origin) = origin.filter(|_| is_allowed) {
            let headers = answer.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::VARY, HeaderValue::from_static("origin"));
        }
        // hyper leaves the body of an answer to HEAD out, and keeps its length.
        if is_head && answer.status().is_client_error() {
            *answer.body_mut() = Body::empty();
        }
        answer
    }

    /// Room for an answer that is collected before it can be sent.
    pub(crate) fn room(&self, ask: &Ask) -> Room {
        self.budget.room(ask.caller.addr)
    }

    fn is_readable_by(&self, origin: &HeaderValue) -> bool {
        origin
            .to_str()
            .is_ok_and(|origin| origin::is_allowed(origin, "", &self.config.allowed_origins))
    }
}

/// Whether a caller is who they say they are, so that a browser is asked for no name or certificate.
fn is_plain(caller: &Caller) -> bool {
    caller.role == Role::User && caller.user.is_none() && caller.groups.is_none() && !caller.is_tls
}

/// Lets a caller in, or says why not.
fn admit(access: Access, caller: Option<Caller>) -> Result<Caller, ApiError> {
    match (access, caller) {
        (Access::Public, None) => Ok(Caller::user("", [""; 0])),
        (_, None) => Err(ApiError::Unauthorized("nobody is known to call".to_owned())),
        (Access::Operator, Some(caller)) if caller.role != Role::Operator => {
            Err(ApiError::Forbidden("this is for the operator".to_owned()))
        }
        (_, Some(caller)) => Ok(caller),
    }
}

/// How a client names this server: `scheme://host`, for URLs in answers (marti-api 0.2.14).
fn base_url(headers: &HeaderMap, is_tls: bool) -> Result<String, ApiError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(ApiError::BadRequest("there must be one Host header".to_owned()));
    };
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    match authority.filter(|authority| !authority.as_str().contains('@')) {
        Some(authority) => Ok(format!("{}://{authority}", if is_tls { "https" } else { "http" })),
        None => Err(ApiError::BadRequest("the Host header is not `host[:port]`".to_owned())),
    }
}

impl<P, B> Service<Request<B>> for Marti<P>
where
    P: PackageStore,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(async move { Ok(inner.respond(request).await) })
    }
}

impl<P> Clone for Marti<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<P> fmt::Debug for Marti<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marti").field("config", &self.inner.config).finish_non_exhaustive()
    }
}
