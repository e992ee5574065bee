//! Every path there is, and what each needs.
//!
//! What is not in this table does not exist. A row says who may use it and whether it changes
//! anything; both are enforced before a handler runs.

mod cot;
mod feeds;
mod groups;
mod info;
mod kml;
mod live;
mod misc;
mod missions;
mod packages;
mod people;
mod profiles;
mod resources;

use std::hash::RandomState;
use std::sync::Arc;

use http::Method;
use store::packages::PackageStore;

use crate::MartiConfig;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::ApiError;
use crate::pipe::Pipes;
use crate::service::Inner;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Anybody, also without a [`Caller`](crate::Caller).
    Public,
    /// Every caller.
    User,
    /// The operator.
    Operator,
}

/// A row of the table of routes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Route {
    /// The method; `HEAD` goes where `GET` does.
    pub method: Method,
    /// The path; `{name}` is any one segment, `{*name}` all that is left.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether it changes anything; then pages of other servers may not use it.
    pub changes: bool,
    pub(crate) endpoint: Endpoint,
}

/// All routes.
pub fn routes() -> &'static [Route] {
    ROUTES
}

/// What handlers keep from one request to the next.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) packages: packages::Shared,
    pub(crate) live: live::Shared,
    pub(crate) feeds: feeds::Shared,
    pub(crate) pipes: Pipes,
    pub(crate) profiles: profiles::Shared,
    pub(crate) misc: misc::Shared,
    /// Makes names of addresses that tell nobody the address.
    pub(crate) strangers: RandomState,
}

impl Shared {
    pub(crate) fn new(config: &MartiConfig) -> Self {
        Self {
            packages: packages::Shared::new(config),
            live: live::Shared::new(config),
            feeds: feeds::Shared::new(config),
            profiles: profiles::Shared::default(),
            misc: misc::Shared::default(),
            strangers: RandomState::new(),
            pipes: Pipes::default(),
        }
    }
}

/// Builds the table and the dispatch from one list: a handler, and the rows that lead to it.
macro_rules! table {
    ($($module:ident :: $handler:ident {
        $($method:ident $path:literal $access:ident $($changes:ident)?;)+
    })+) => {
        /// What a route leads to: the handlers, by name.
        #[expect(non_camel_case_types, reason = "named after the handlers")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Endpoint { $($handler,)+ }

        pub(crate) const ROUTES: &[Route] = &[$($(Route {
            method: Method::$method,
            path: $path,
            access: Access::$access,
            changes: false $(| changes::$changes)?,
            endpoint: Endpoint::$handler,
        },)+)+];

        /// Has a request answered.
        pub(crate) async fn handle<P: PackageStore>(
            marti: Arc<Inner<P>>,
            endpoint: Endpoint,
            ask: Ask,
        ) -> Result<Answer, ApiError> {
            match endpoint {
                $(Endpoint::$handler => Box::pin($module::$handler(marti, ask)).await,)+
            }
        }
    };
}

/// The word that marks a row that changes something.
mod changes {
    #![expect(non_upper_case_globals, reason = "a word of the table")]
    pub(super) const changes: bool = true;
}

table! {
    // Data packages (marti-api A)
    packages::missionquery { GET "/Marti/sync/missionquery" User; }
    packages::missionupload { POST "/Marti/sync/missionupload" User changes; }
    packages::content {
        GET "/Marti/sync/content" User;
        GET "/Marti/api/sync/metadata/{hash}/tool" User;
    }
    packages::upload { POST "/Marti/sync/upload" User changes; }
    packages::delete {
        GET "/Marti/sync/delete" User changes;
        POST "/Marti/sync/delete" User changes;
        DELETE "/Marti/sync/delete" User changes;
    }
    packages::set_metadata {
        PUT "/Marti/api/sync/metadata/{hash}/tool" User changes;
        PUT "/Marti/api/sync/metadata/{hash}/{field}" User changes;
    }
    packages::addressee { GET "/Marti/api/packages/{hash}/push" Operator; }
    packages::push { POST "/Marti/api/packages/{hash}/push" Operator changes; }
    resources::search { GET "/Marti/sync/search" User; }
    resources::row { GET "/Marti/sync/{hash}/metadata" User; }
    resources::api_search { GET "/Marti/api/sync/search" User; }
    resources::by_hash { GET "/Marti/api/resources/{hash}" User; }
    resources::files { GET "/Marti/api/files/metadata" User; }
    resources::files_count { GET "/Marti/api/files/metadata/count" User; }
    resources::file { GET "/Marti/api/files/{hash}" User; }
    resources::delete_file { DELETE "/Marti/api/files/{hash}" User changes; }
    resources::set_file { PUT "/Marti/api/files/{hash}/metadata" User changes; }
    resources::files_config { GET "/files/api/config" User; }

    // The server (B.2)
    info::index { GET "/" Public; GET "/index.html" Public; }
    info::version { GET "/Marti/api/version" Public; GET "/Marti/api/ver" User; }
    info::version_config { GET "/Marti/api/version/config" Public; }
    info::version_info { GET "/Marti/api/version/info" Public; }
    info::node_id { GET "/Marti/api/node/id" User; }
    info::home { GET "/Marti/api/home" User; }
    info::get_time { GET "/Marti/GetTime" User; }

    // Who is there (B.3, B.4)
    people::client_end_points { GET "/Marti/api/clientEndPoints" User; }
    people::contacts {
        GET "/Marti/api/contacts/all" User;
        GET "/Marti/api/contacts/all/lite" User;
        GET "/Marti/api/contacts/all/full" User;
    }
    people::subscriptions { GET "/Marti/api/subscriptions/all" User; }
    people::filter {
        PUT "/Marti/api/subscriptions/{client}/filter" User changes;
        DELETE "/Marti/api/subscriptions/{client}/filter" User changes;
    }

    // Groups (B.5)
    groups::list_groups { GET "/Marti/api/groups/all" User; }
    groups::set_active { PUT "/Marti/api/groups/active" User changes; }
    groups::set_active_bits { PUT "/Marti/api/groups/activebits" User changes; }
    groups::cache_enabled { GET "/Marti/api/groups/groupCacheEnabled" User; }
    groups::prefix { GET "/Marti/api/groupprefix" User; }

    // Events (B.6)
    cot::newest { GET "/Marti/api/cot/xml/{uid}" User; }
    cot::history { GET "/Marti/api/cot/xml/{uid}/all" User; }
    cot::several { GET "/Marti/api/cot" User; POST "/Marti/api/cot" User; }
    cot::between { GET "/Marti/api/cot/sa" User; }
    cot::match_uid { GET "/Marti/api/cot/matchUid" User; }
    kml::latest { GET "/Marti/LatestKML" User; GET "/Marti/KmlMasterSA" User; }
    kml::tracks { GET "/Marti/ExportMissionKML" User; POST "/Marti/ExportMissionKML" User; }
    live::post { POST "/api/events" User changes; }
    live::sse { GET "/api/events" User; }
    live::web_socket { GET "/api/events/ws" User; }

    // Device profiles (B.7)
    profiles::connection { GET "/Marti/api/device/profile/connection" User; }
    profiles::tool { GET "/Marti/api/device/profile/tool/{name}" User; }
    profiles::enrollment { GET "/Marti/api/tls/profile/enrollment" User; }
    profiles::list_profiles { GET "/Marti/api/device/profile" User; }

    // Video (B.8)
    feeds::vcm { GET "/Marti/vcm" User; }
    feeds::add_vcm { POST "/Marti/vcm" User changes; }
    feeds::remove_vcm { DELETE "/Marti/vcm" User changes; }
    feeds::list_feeds { GET "/Marti/api/video" User; }
    feeds::add { POST "/Marti/api/video" User changes; }
    feeds::one { GET "/Marti/api/video/{uuid}" User; }
    feeds::replace { PUT "/Marti/api/video/{uuid}" User changes; }
    feeds::remove { DELETE "/Marti/api/video/{uuid}" User changes; }

    // What else clients ask (B.9)
    misc::roles { GET "/Marti/api/util/user/roles" User; }
    misc::is_admin { GET "/Marti/api/util/isAdmin" User; }
    misc::is_secure { GET "/Marti/api/security/isSecure" User; }
    misc::error_log { POST "/Marti/ErrorLog" User changes; }
    misc::take_tracks { POST "/Marti/TracksKML" User changes; }
    misc::citrap_list { GET "/Marti/api/citrap" User; }
    misc::citrap_post { POST "/Marti/api/citrap" User changes; }
    misc::citrap_one { GET "/Marti/api/citrap/{id}" User; }
    misc::citrap_remove { DELETE "/Marti/api/citrap/{id}" User changes; }
    misc::no_rows {
        GET "/Marti/api/iconset/all/uid" User;
        GET "/Marti/api/repeater/list" User;
        GET "/Marti/api/injectors/cot/uid" User;
        GET "/Marti/api/datafeeds" User;
        GET "/Marti/api/cops" User;
        GET "/Marti/api/cops/hierarchy" User;
        GET "/Marti/api/excheck/checklist/active" User;
    }
    misc::locate { POST "/locate/api" User changes; }

    // Data Sync missions, of which there are none (C, J)
    missions::list_missions {
        GET "/Marti/api/missions" User;
        GET "/Marti/api/pagedmissions" User;
    }
    missions::count { GET "/Marti/api/missioncount" User; }
    missions::invitations {
        GET "/Marti/api/missions/invitations" User;
        GET "/Marti/api/missions/all/invitations" User;
    }
    missions::mission_subscriptions { GET "/Marti/api/missions/all/subscriptions" User; }
    missions::absent {
        GET "/Marti/api/missions/{name}" User;
        GET "/Marti/api/missions/{name}/{*rest}" User;
        DELETE "/Marti/api/missions" User;
        DELETE "/Marti/api/missions/{name}" User;
        DELETE "/Marti/api/missions/{name}/{*rest}" User;
    }
    missions::not_yet {
        PUT "/Marti/api/missions/{name}" User;
        POST "/Marti/api/missions/{name}" User;
        PUT "/Marti/api/missions/{name}/{*rest}" User;
        POST "/Marti/api/missions/{name}/{*rest}" User;
    }
}
