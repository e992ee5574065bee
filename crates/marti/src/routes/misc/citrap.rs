//! Reports of the reports plug-in: data packages whose tool is `citrap`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use http::StatusCode;
use http::header::{ACCEPT, CONTENT_DISPOSITION, HeaderValue, LOCATION};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::packages::{ContentHash, DataPackage, PackageFilter, PackageStore};

use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::markup::escaped;
use crate::query::Query;
use crate::routes::{packages, resources};
use crate::service::Inner;
use crate::sight::Sight;
use crate::time;

const TOOL: &str = "citrap";

/// Most reports in a list.
const MAX_REPORTS: u32 = 1000;

/// What is told of a report. What stands in the report itself is for who fetches it.
const EMPTY: [&str; 8] = [
    "type",
    "userDescription",
    "dateTimeDescription",
    "location",
    "locationDescription",
    "eventScale",
    "importance",
    "status",
];

/// The reports that the caller sees, newest first: JSON, or XML for who wants nothing else.
pub(crate) async fn list<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let read = |key| match ask.query.get(key) {
        Some(text) => time::read(text)
            .map(Some)
            .ok_or_else(|| ApiError::BadRequest(format!("{key} is no time"))),
        None => Ok(None),
    };
    let mut filter = PackageFilter::new(Sight::of(&ask, &marti.relay).viewer(&marti.relay));
    filter.tool = Some(TOOL.to_owned());
    filter.since_ms = read("startTime")?;
    filter.until_ms = read("endTime")?;
    let limit = ask.query.read("maxReportCount").unwrap_or_default();
    filter.limit = limit.unwrap_or(MAX_REPORTS).min(MAX_REPORTS);
    let reports = resources::rows(&*marti.packages, marti.room(&ask), filter, Report::of).await?;
    let reports = named(reports, &marti, &ask);
    let accept = ask.header(ACCEPT).unwrap_or_default().to_ascii_lowercase();
    if accept.contains("application/xml") && !accept.contains("json") && !accept.contains("*/*") {
        return Ok(answer::xml(xml(&reports)));
    }
    Ok(answer::ok(&reports.iter().map(row).collect::<Vec<_>>()))
}

/// Takes a report, which is stored like every upload.
pub(crate) async fn post<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let device = ask.query.get("clientUid").unwrap_or_default().to_owned();
    let name = format!("report {}.zip", time::text(time::now_ms()));
    let base_url = ask.base_url.clone();
    let fields = [
        ("name", name.as_str()),
        ("tool", TOOL),
        ("keywords", TOOL),
        ("mimetype", "application/zip"),
        ("creatorUid", &device),
    ];
    ask.query = with(&ask.query, &fields);
    let stored = packages::upload(marti, ask).await?;
    let whole = stored.into_body().collect().await.map_err(|error| {
        ApiError::Internal(format!("the report was stored, and cannot be named: {error}"))
    })?;
    let row: Value = serde_json::from_slice(&whole.to_bytes()).unwrap_or_default();
    let id = row.get("Hash").and_then(Value::as_str).unwrap_or_default();
    let mut answer = answer::json(StatusCode::CREATED, &json!({ "id": id }));
    if let Ok(url) = HeaderValue::from_str(&format!("{base_url}/Marti/api/citrap/{id}")) {
        answer.headers_mut().insert(LOCATION, url);
    }
    Ok(answer)
}

/// A report, as it was sent.
pub(crate) async fn one<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = find(&marti, wanted(&marti, &ask)).await?.to_string();
    ask.query = with(&ask.query, &[("hash", &hash)]);
    let mut answer = packages::content(marti, ask).await?;
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{hash}.zip\""))
    {
        answer.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(answer)
}

/// Removes a report, for who sent it.
pub(crate) async fn remove<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = find(&marti, wanted(&marti, &ask)).await?;
    packages::remove(&marti, ask, hash).await
}

/// Which report is asked for.
fn wanted<P: PackageStore>(marti: &Inner<P>, ask: &Ask) -> PackageFilter {
    let mut filter = PackageFilter::new(Sight::of(ask, &marti.relay).viewer(&marti.relay));
    filter.tool = Some(TOOL.to_owned());
    filter.uid = Some(ask.param("id").to_owned());
    filter.limit = 1;
    filter.include_damaged = true;
    filter
}

async fn find<P: PackageStore>(
    marti: &Inner<P>,
    wanted: PackageFilter,
) -> Result<ContentHash, ApiError> {
    let found = marti.packages.list(&wanted).await?;
    let report = found.first();
    Ok(report.ok_or_else(|| ApiError::NotFound("there is no such report".to_owned()))?.hash)
}

/// The parameters of a request, and these first.
fn with(query: &Query, fields: &[(&str, &str)]) -> Query {
    let mut query = query.clone();
    fields.iter().for_each(|(key, value)| query.set(key, value));
    query
}

/// What a list has of a report.
struct Report {
    id: String,
    title: String,
    sender_uid: String,
    date_time: String,
}

impl Report {
    fn of(package: &DataPackage) -> Result<(Self, usize), ApiError> {
        let report = Self {
            id: package.hash.to_string(),
            title: package.name.clone(),
            sender_uid: package.creator_uid.clone().unwrap_or_default(),
            date_time: time::text(package.submitted_ms),
        };
        // As XML or JSON it has about 300 bytes more.
        let len = 400 + report.title.len() + report.sender_uid.len();
        Ok((report, len))
    }
}

/// Reports with the callsigns of their senders, as far as the caller sees these; empty otherwise.
fn named<P: PackageStore>(
    reports: Vec<Report>,
    marti: &Inner<P>,
    ask: &Ask,
) -> Vec<(Report, Arc<str>)> {
    let relay = &marti.relay;
    let (policy, viewer) = (relay.policy(), Sight::of(ask, relay).relay_viewer());
    let mut known = relay.known_contacts();
    known.retain(|known| viewer.sees(&policy, &known.team));
    let callsigns: HashMap<_, _> =
        known.into_iter().map(|known| (known.uid, known.callsign)).collect();
    let with_callsign = |report: Report| {
        let callsign = callsigns.get(&*report.sender_uid).cloned().unwrap_or_default();
        (report, callsign)
    };
    reports.into_iter().map(with_callsign).collect()
}

fn row((report, callsign): &(Report, Arc<str>)) -> Value {
    let mut row = json!({
        "id": report.id,
        "title": report.title,
        "userCallsign": &**callsign,
        "dateTime": report.date_time,
    });
    if let Some(row) = row.as_object_mut() {
        row.extend(EMPTY.map(|name| (name.to_owned(), "".into())));
    }
    row
}

fn xml(reports: &[(Report, Arc<str>)]) -> String {
    let mut xml = String::from("<reports>");
    for (report, callsign) in reports {
        // Writing to a text does not fail.
        let _ = write!(
            xml,
            r#"<report id="{}" title="{}" userCallsign="{}" dateTime="{}"/>"#,
            report.id,
            escaped(&report.title),
            escaped(callsign),
            report.date_time,
        );
    }
    xml.push_str("</reports>");
    xml
}
