//! What clients look for.

use std::str::FromStr;

use store::packages::{Bounds, Circle, PackageFilter, SortBy, Viewer};

use super::everything;
use crate::error::ApiError;
use crate::query::Query;
use crate::routes::packages::hash_of;
use crate::time;

/// Most rows of an answer.
pub(super) const MAX_ROWS: u32 = 1000;

/// The keyword of data packages.
const PACKAGE: &str = "missionpackage";

/// What a search asks for. What is not there restricts nothing.
///
/// # Errors
///
/// A parameter cannot be read: to ignore it would find what was not looked for.
pub(super) fn search(query: &Query, viewer: Viewer) -> Result<PackageFilter, ApiError> {
    let text = |key: &str| query.get(key).map(str::to_owned);
    let mut filter = everything(viewer);
    filter.keywords =
        query.list("keywords").chain(query.list("keyword")).map(str::to_owned).collect();
    filter.tool = text("tool");
    filter.name = text("name");
    filter.filename = text("filename");
    filter.mime_type = text("mimetype");
    filter.uid = text("uid");
    filter.hash = match query.get("hash") {
        Some(hash) => Some(hash_of(hash)?),
        None => None,
    };
    filter.key = read(query, "primarykey")?;
    filter.submitter = text("submissionuser");
    filter.creator_uid = text("creatoruid");
    filter.mission = text("mission");
    filter.since_ms = moment(query, &["starttime", "submissiondatetime"])?;
    filter.until_ms = moment(query, &["stoptime", "endtime"])?;
    filter.bounds = numbers(query, &["bbox", "box"])?.map(|[west, south, east, north]| Bounds {
        south,
        west,
        north,
        east,
    });
    filter.circle = numbers(query, &["circle"])?.map(|[longitude, latitude, radius_m]| Circle {
        latitude,
        longitude,
        radius_m,
    });
    filter.min_altitude = read(query, "minaltitude")?;
    filter.max_altitude = read(query, "maxaltitude")?;
    filter.offset = read(query, "offset")?.unwrap_or(0);
    filter.limit = read(query, "limit")?.unwrap_or(MAX_ROWS).min(MAX_ROWS);
    Ok(filter)
}

/// What a list of files asks for. Pages begin with 0, and -1 stands for what is not said.
///
/// # Errors
///
/// A parameter cannot be read.
pub(super) fn files(query: &Query, viewer: Viewer) -> Result<PackageFilter, ApiError> {
    let mut filter = everything(viewer);
    if query.is_set("missionPackage") {
        filter.keywords.push(PACKAGE.to_owned());
    }
    filter.name = query.get("name").map(str::to_owned);
    filter.mission = query.get("mission").map(str::to_owned);
    let said = |key: &str| -> Result<_, ApiError> {
        Ok(read::<i64>(query, key)?.and_then(|number| u32::try_from(number).ok()))
    };
    filter.limit = said("limit")?.unwrap_or(MAX_ROWS).min(MAX_ROWS);
    filter.offset = said("page")?.unwrap_or(0).saturating_mul(filter.limit);
    let sort = query.get("sort").unwrap_or_default().to_ascii_lowercase();
    filter.sort = match sort.as_str() {
        "name" | "filename" => SortBy::Name,
        "size" => SortBy::Size,
        _ => SortBy::Submitted,
    };
    filter.is_ascending = query.is_set("ascending");
    Ok(filter)
}

fn read<T: FromStr>(query: &Query, key: &str) -> Result<Option<T>, ApiError> {
    query.read(key).map_err(|text| unreadable(key, &text))
}

fn moment(query: &Query, keys: &[&str]) -> Result<Option<i64>, ApiError> {
    let Some((key, text)) = first(query, keys) else { return Ok(None) };
    time::read(text).map(Some).ok_or_else(|| unreadable(key, text))
}

/// So many numbers, joined by commas.
fn numbers<const N: usize>(query: &Query, keys: &[&str]) -> Result<Option<[f64; N]>, ApiError> {
    let Some((key, text)) = first(query, keys) else { return Ok(None) };
    let numbers: Option<Vec<f64>> = text
        .split(',')
        .take(N + 1)
        .map(|part| part.trim().parse().ok().filter(|number: &f64| number.is_finite()))
        .collect();
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.map(Some).ok_or_else(|| unreadable(key, text))
}

/// The first of several names that a parameter has.
fn first<'a>(query: &'a Query, keys: &[&'a str]) -> Option<(&'a str, &'a str)> {
    keys.iter().find_map(|&key| Some((key, query.get(key)?)))
}

fn unreadable(key: &str, text: &str) -> ApiError {
    let text: String = text.chars().take(120).collect();
    ApiError::BadRequest(format!("{key}: {text:?} cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(text: &str) -> Result<PackageFilter, ApiError> {
        search(&Query::parse(text.as_bytes()), Viewer::Everything)
    }

    #[test]
    fn a_search_takes_names_in_any_case_and_texts_literally() {
        let filter =
            searched("Keywords=a,b&keyword=c&TOOL=public&name=%25_'&PrimaryKey=7&limit=5&offset=2")
                .unwrap();
        assert_eq!(filter.keywords, ["a", "b", "c"]);
        assert_eq!(filter.tool.as_deref(), Some("public"));
        assert_eq!(filter.name.as_deref(), Some("%_'"));
        assert_eq!((filter.key, filter.limit, filter.offset), (Some(7), 5, 2));
    }

    #[test]
    fn a_search_is_never_longer_than_an_answer_may_be() {
        assert_eq!(searched("").unwrap().limit, MAX_ROWS);
        assert_eq!(searched("limit=4000000000").unwrap().limit, MAX_ROWS);
    }

    #[test]
    fn places_and_times_are_read() {
        let filter = searched("bbox=8,50,9,51&circle=8.5,50.5,1000&endTime=2026-01-01T00:00:00Z");
        let filter = filter.unwrap();
        let bounds = Bounds { south: 50.0, west: 8.0, north: 51.0, east: 9.0 };
        let circle = Circle { latitude: 50.5, longitude: 8.5, radius_m: 1000.0 };
        assert_eq!((filter.bounds, filter.circle), (Some(bounds), Some(circle)));
        assert_eq!(filter.until_ms, Some(1_767_225_600_000));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for text in [
            "hash=x",
            "bbox=1,2,3",
            "bbox=1,2,3,4,5",
            "circle=NaN,1,1",
            "starttime=now",
            "limit=-1",
        ] {
            assert!(matches!(searched(text), Err(ApiError::BadRequest(_))), "{text}");
        }
    }

    #[test]
    fn pages_begin_with_0_and_less_is_nothing_said() {
        let paged = |text: &str| {
            let filter = files(&Query::parse(text.as_bytes()), Viewer::Everything).unwrap();
            (filter.offset, filter.limit, filter.keywords.len(), filter.is_ascending)
        };
        assert_eq!(paged("page=-1&limit=-1"), (0, MAX_ROWS, 0, false));
        assert_eq!(paged("page=3&limit=20&missionPackage=true&ascending=true"), (60, 20, 1, true));
    }
}
