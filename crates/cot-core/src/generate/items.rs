//! What people put on the map: markers, drawings, routes, telestrations.

use std::fmt;

use super::pen::Pen;
use super::person::Person;
use super::position::{Envelope, end_event, write_flow_tag};
use super::rng::Rng;

const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;

const MARKER_KINDS: [&str; 9] = [
    "a-u-G",
    "a-h-G",
    "a-f-G",
    "a-n-G",
    "a-h-G-U-C-I",
    "a-f-G-E-V",
    "a-n-A-C-F",
    "b-m-p-s-m",
    "b-m-p-w-GOTO",
];
const COLOURS: [&str; 5] = ["-1", "-65536", "-256", "-16711936", "-16776961"];

/// Latitude and longitude of somewhere within a few hundred metres of the person.
fn near(person: &Person, rng: &mut Rng) -> (f64, f64) {
    let motion = person.motion;
    (motion.lat + rng.between(-0.004, 0.004), motion.lon + rng.between(-0.006, 0.006))
}

fn write_point_at(pen: &mut Pen<'_>, (lat, lon): (f64, f64)) {
    pen.open("point").attr("lat", format_args!("{lat:.7}")).attr("lon", format_args!("{lon:.7}"));
    pen.plain("hae", "9999999.0").plain("ce", "9999999.0").plain("le", "9999999.0").empty();
}

fn write_corner(pen: &mut Pen<'_>, (lat, lon): (f64, f64)) {
    pen.open("link").attr("point", format_args!("{lat:.7},{lon:.7}")).empty();
}

fn write_value(pen: &mut Pen<'_>, name: &str, value: &str) {
    pen.open(name).plain("value", value).empty();
}

/// What every drawing ends with.
fn write_drawing_tail(pen: &mut Pen<'_>, rng: &mut Rng, title: &str, now_ms: i64) {
    write_value(pen, "strokeColor", rng.pick(&COLOURS));
    write_value(pen, "strokeWeight", "3.0");
    write_value(pen, "fillColor", "-1761607681");
    pen.open("contact").attr("callsign", format_args!("{title} {}", 1 + rng.below(40))).empty();
    pen.open("remarks").empty().open("archive").empty();
    write_value(pen, "labels_on", "false");
    if rng.chance(30) {
        write_flow_tag(pen, now_ms);
    }
}

/// Appends a marker: `archive` twice, as ATAK writes it.
pub(super) fn write_marker(person: &Person, rng: &mut Rng, now_ms: i64, out: &mut Vec<u8>) {
    let pen = &mut Pen::new(out, person.hand);
    let (kind, uid, colour) = (rng.pick(&MARKER_KINDS), rng.uuid(), rng.pick(&COLOURS));
    Envelope { uid, kind, how: "h-g-i-g-o", now_ms, valid_ms: YEAR_MS }.write(pen);
    write_point_at(pen, near(person, rng));
    pen.open("detail").body();
    pen.open("status").plain("readiness", "true").empty().open("archive").empty();
    pen.open("link").attr("uid", &person.uid).time("production_time", now_ms - 4_000);
    pen.plain("type", "a-f-G-U-C").attr("parent_callsign", &person.callsign);
    pen.plain("relation", "p-p").empty();
    let (day, clock) = (1 + rng.below(28), rng.below(240_000));
    pen.open("contact").attr("callsign", format_args!("M.{day}.{clock:06}")).empty();
    pen.open("remarks").body();
    if rng.chance(30) {
        pen.text("Seen from the ridge & confirmed by two.\nNo movement since.");
    }
    pen.close("remarks").open("archive").empty();
    pen.open("color").plain("argb", colour).empty();
    pen.open("precisionlocation").plain("altsrc", "???").empty();
    pen.open("usericon").attr("iconsetpath", format_args!("COT_MAPPING_2525C/{kind}")).empty();
    if rng.chance(30) {
        write_flow_tag(pen, now_ms);
    }
    end_event(pen);
}

/// Appends a rectangle, a circle or a polyline.
pub(super) fn write_shape(person: &Person, rng: &mut Rng, now_ms: i64, out: &mut Vec<u8>) {
    let pen = &mut Pen::new(out, person.hand);
    let (uid, centre) = (rng.uuid(), near(person, rng));
    let (kind, title) =
        rng.pick(&[("u-d-r", "Rectangle"), ("u-d-c-c", "Drawing Circle"), ("u-d-f", "Shape")]);
    Envelope { uid, kind, how: "h-e", now_ms, valid_ms: DAY_MS }.write(pen);
    write_point_at(pen, centre);
    pen.open("detail").body();
    let (lat, lon) = centre;
    let size = rng.between(0.0004, 0.003);
    match kind {
        "u-d-r" => {
            for (north, east) in [(1.0, -1.0), (1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                write_corner(pen, (lat + north * size, lon + east * size));
            }
        }
        "u-d-c-c" => {
            let metres = format!("{:.10}", size * 111_320.0);
            pen.open("shape").body().open("ellipse").plain("major", &metres);
            pen.plain("minor", &metres).plain("angle", "360").empty().close("shape");
        }
        _ => {
            for _ in 0..3 + rng.below(7) {
                write_corner(pen, near(person, rng));
            }
        }
    }
    write_drawing_tail(pen, rng, title, now_ms);
    end_event(pen);
}

/// Appends a route with three to eleven way points.
pub(super) fn write_route(person: &Person, rng: &mut Rng, now_ms: i64, out: &mut Vec<u8>) {
    let pen = &mut Pen::new(out, person.hand);
    let uid = rng.uuid();
    Envelope { uid, kind: "b-m-r", how: "h-e", now_ms, valid_ms: DAY_MS }.write(pen);
    write_point_at(pen, (0.0, 0.0));
    pen.open("detail").body();
    for number in 0..3 + rng.below(9) {
        let (lat, lon) = near(person, rng);
        let named = number == 0 || rng.chance(25);
        pen.open("link").attr("uid", rng.uuid());
        if named {
            pen.attr("callsign", format_args!("CP{number}")).plain("type", "b-m-p-w");
        } else {
            pen.plain("callsign", "").plain("type", "b-m-p-c");
        }
        pen.attr("point", format_args!("{lat:.7},{lon:.7}"));
        pen.plain("remarks", "").plain("relation", "c").empty();
    }
    pen.open("link_attr").plain("planningmethod", "Infil").plain("color", "-1");
    pen.plain("method", "Driving").plain("prefix", "CP").plain("type", "Vehicle");
    pen.plain("stroke", "3").plain("direction", "Infil").plain("routetype", "Primary");
    pen.plain("order", "Ascending Check Points").empty();
    pen.open("__routeinfo").body().open("__navcues").empty().close("__routeinfo");
    write_drawing_tail(pen, rng, "Route", now_ms);
    end_event(pen);
}

/// Appends a telestration: whole events, escaped, in the attribute `line`.
pub(super) fn write_telestration(person: &Person, rng: &mut Rng, now_ms: i64, out: &mut Vec<u8>) {
    let pen = &mut Pen::new(out, person.hand);
    let uid = rng.uuid();
    Envelope { uid, kind: "u-d-f-m", how: "h-e", now_ms, valid_ms: DAY_MS }.write(pen);
    write_point_at(pen, (0.0, 0.0));
    pen.open("detail").body();
    for _ in 0..1 + rng.below(2) {
        let stroke = embedded_event(person, rng, now_ms);
        pen.open("link").attr("line", stroke).empty();
    }
    write_drawing_tail(pen, rng, "Freehand", now_ms);
    end_event(pen);
}

/// One stroke as an event of its own, ending in a real `</event>` before it is escaped.
fn embedded_event(person: &Person, rng: &mut Rng, now_ms: i64) -> String {
    let mut inner = Vec::new();
    let pen = &mut Pen::new(&mut inner, person.hand);
    let uid = rng.uuid();
    Envelope { uid, kind: "u-d-f", how: "h-e", now_ms, valid_ms: DAY_MS }.write(pen);
    write_point_at(pen, near(person, rng));
    pen.open("detail").body();
    for _ in 0..8 + rng.below(20) {
        write_corner(pen, near(person, rng));
    }
    end_event(pen);
    String::from_utf8(inner).unwrap_or_default()
}

/// Appends an alert, or its cancellation.
pub(super) fn write_emergency(
    person: &Person,
    cancel: bool,
    rng: &mut Rng,
    now_ms: i64,
    out: &mut Vec<u8>,
) {
    let pen = &mut Pen::new(out, person.hand);
    let (kind, label) = match (cancel, rng.below(3)) {
        (true, _) => ("b-a-o-can", ""),
        (false, 0) => ("b-a-o-tbl", "911 Alert"),
        (false, 1) => ("b-a-o-pan", "Ring The Bell"),
        (false, _) => ("b-a-o-opn", "In Contact"),
    };
    let uid = format_args!("{}-9-1-1", person.uid);
    Envelope { uid, kind, how: "m-g", now_ms, valid_ms: 10_000 }.write(pen);
    super::position::write_point(pen, person);
    pen.open("detail").body();
    pen.open("link").attr("uid", &person.uid).plain("type", "a-f-G-U-C");
    pen.plain("relation", "p-p").empty();
    pen.open("contact").attr("callsign", format_args!("{}-Alert", person.callsign)).empty();
    pen.open("emergency");
    if cancel {
        pen.plain("cancel", "true");
    } else {
        pen.plain("type", label);
    }
    pen.body().text(&person.callsign).close("emergency");
    end_event(pen);
}

/// Appends a request to fetch a file, to one person.
pub(super) fn write_file_share(
    person: &Person,
    to: &Person,
    rng: &mut Rng,
    now_ms: i64,
    out: &mut Vec<u8>,
) {
    let pen = &mut Pen::new(out, person.hand);
    let (uid, hash) = (rng.uuid(), Hash([rng.next(), rng.next(), rng.next(), rng.next()]));
    Envelope { uid, kind: "b-f-t-r", how: "h-e", now_ms, valid_ms: 10_000 }.write(pen);
    write_point_at(pen, near(person, rng));
    pen.open("detail").body().open("fileshare").attr("filename", "overlay & notes.zip");
    pen.attr("senderUrl", format_args!("https://203.0.113.7:8443/Marti/sync/content?hash={hash}"));
    pen.attr("sizeInBytes", 900 + rng.below(4_000_000)).attr("sha256", &hash);
    pen.attr("senderUid", &person.uid).attr("senderCallsign", &person.callsign);
    pen.plain("name", "overlay").empty();
    pen.open("ackrequest").attr("uid", rng.uuid()).plain("ackrequested", "true");
    pen.plain("tag", "overlay").empty();
    pen.open("marti").body().open("dest").attr("callsign", &to.callsign).empty().close("marti");
    end_event(pen);
}

/// 64 hexadecimal digits.
struct Hash([u64; 4]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:016x}"))
    }
}
