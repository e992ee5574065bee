//! KML, as a strict reader sees it.

use std::io::{Cursor, Read};

use roxmltree::{Document, Node};

use super::support::Server;
use super::support::cot::{event, sa};
use super::tell;

const KML: &str = "http://www.opengis.net/kml/2.2";

fn find<'a>(node: Node<'a, 'a>, name: &str) -> Vec<Node<'a, 'a>> {
    node.descendants().filter(|node| node.tag_name().name() == name).collect()
}

fn text<'a>(node: Node<'a, 'a>, name: &str) -> &'a str {
    find(node, name)[0].text().unwrap_or_default()
}

/// Reads a document, and checks what every one of them must be.
fn parse(kml: &str) -> Document<'_> {
    let tree = Document::parse(kml).unwrap();
    let root = tree.root_element();
    assert_eq!((root.tag_name().name(), root.tag_name().namespace()), ("kml", Some(KML)));
    let styles: Vec<_> = root.descendants().filter_map(|node| node.attribute("id")).collect();
    for url in root.descendants().filter(|node| node.tag_name().name() == "styleUrl") {
        let id = url.text().unwrap().strip_prefix('#').unwrap();
        assert!(styles.contains(&id), "{id}");
    }
    tree
}

fn unzip(kmz: &[u8]) -> String {
    let mut zip = zip::ZipArchive::new(Cursor::new(kmz)).unwrap();
    assert_eq!(zip.len(), 1);
    let mut file = zip.by_index(0).unwrap();
    assert_eq!(file.name().unwrap(), "doc.kml");
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_picture_is_drawn() {
    let server = Server::open();
    let mut alpha = server.cot("A-1", "ALPHA", "Cyan");
    alpha.send(&sa("A-1", "&lt;b&gt;&amp;&quot;ALPHA", "Cyan"));
    tell(&server, &mut alpha, "h-1", &event("h-1", "a-h-A-M-F", ""));
    tell(
        &server,
        &mut alpha,
        "m-1",
        &event("m-1", "b-m-p-s-m", "<remarks>&lt;script&gt;</remarks>"),
    );
    let nowhere =
        event("n-1", "a-f-G", "").replace(r#"lat="50.1" lon="8.6""#, r#"lat="0" lon="0""#);
    let nowhere = nowhere.replace(r#"ce="10""#, r#"ce="9999999.0""#);
    tell(&server, &mut alpha, "n-1", &nowhere);
    let answer = server.get("/Marti/LatestKML").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/vnd.google-earth.kml+xml"));
    let tree = parse(answer.text());
    let mut marks = find(tree.root_element(), "Placemark");
    marks.sort_by_key(|mark| text(*mark, "value"));
    let drawn: Vec<_> = marks
        .iter()
        .map(|mark| {
            let [name, style, mode] = ["name", "styleUrl", "altitudeMode"].map(|n| text(*mark, n));
            (text(*mark, "value"), name, style, mode)
        })
        .collect();
    assert_eq!(
        drawn,
        [
            ("A-1", "<b>&\"ALPHA", "#friend", "clampToGround"),
            ("h-1", "h-1", "#hostile", "absolute"),
            ("m-1", "m-1", "#other", "clampToGround"),
        ]
    );
    assert_eq!(text(marks[0], "coordinates"), "8.6,50.1,100");
    assert_eq!(text(marks[0], "when"), "2026-01-01T00:00:00.000Z");
    let order: Vec<_> = marks[0].children().map(|node| node.tag_name().name()).collect();
    assert_eq!(order, ["name", "TimeStamp", "styleUrl", "ExtendedData", "Point"]);

    let count = |path: &str| {
        let answer = server.get(path).expect(200);
        find(parse(answer.text()).root_element(), "Placemark").len()
    };
    assert_eq!(count("/Marti/KmlMasterSA"), 3);
    assert_eq!(count("/Marti/LatestKML?cotType=a-h"), 1);
    assert_eq!(count("/Marti/LatestKML?cotType=a-f,b-m&secago=3600"), 2);
    assert_eq!(count("/Marti/LatestKML?cotType=u"), 0);
    let zipped = server.get("/Marti/LatestKML?format=kmz").expect(200);
    assert_eq!(zipped.header("content-type"), Some("application/vnd.google-earth.kmz"));
    assert_eq!(find(parse(&unzip(&zipped.body)).root_element(), "Placemark").len(), 3);
    server.get("/Marti/LatestKML?format=exe").expect(400);
    server.get("/Marti/LatestKML?secago=-1").expect(400);
}

#[test]
fn tracks_are_there_even_where_nothing_was() {
    let server = Server::open();
    let day = "startTime=2026-01-01T00:00:00.000Z&endTime=2026-01-02T00:00:00.000Z";
    let answer = server.get(&format!("/Marti/ExportMissionKML?{day}&uid=A-1&extendedData=true"));
    let answer = answer.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/vnd.google-earth.kmz"));
    assert!(find(parse(&unzip(&answer.body)).root_element(), "Placemark").is_empty());
    let _alpha = server.cot("A-1", "ALPHA", "Cyan");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = server.ask("POST", "/Marti/ExportMissionKML", form, b"format=kml&groups=Blue");
    let answer = answer.expect(200);
    assert_eq!(find(parse(answer.text()).root_element(), "Track").len(), 1);
    for bad in [
        "format=pdf",
        "startTime=x",
        "multiTrackThreshold=-1",
        "multiTrackThreshold=NaN",
        "startTime=1990-01-01T00:00:00Z",
        "startTime=2026-01-02T00:00:00Z&endTime=2026-01-01T00:00:00Z",
    ] {
        server.get(&format!("/Marti/ExportMissionKML?{bad}")).expect(400);
    }
    let many = "uid=x&".repeat(1020);
    server.ask("POST", "/Marti/ExportMissionKML", form, many.as_bytes()).expect(400);
    server.ask("POST", "/Marti/ExportMissionKML", form, &vec![b'a'; 300 << 10]).expect(413);
}

#[cfg(feature = "dump")]
#[test]
fn tracks_are_cut_at_pauses() {
    use super::past::{dump, with_history};

    let dir = tempfile::tempdir().unwrap();
    dump::record(dir.path(), store::dump::DumpFormat::Json);
    let history = marti::DumpHistory::new(dir.path());
    let server = with_history(super::support::Setup::open(), history);
    let hour = "startTime=2026-11-18T00:00:00Z&endTime=2026-11-20T00:00:00Z&format=kml";
    let get = |more: &str| server.get(&format!("/Marti/ExportMissionKML?{hour}{more}")).expect(200);
    let answer = get("");
    let tree = parse(answer.text());
    let marks = find(tree.root_element(), "Placemark");
    let names: Vec<_> = marks.iter().map(|mark| text(*mark, "name")).collect();
    assert_eq!(names, ["AZUL <&>", "ROJO"]);
    let tracks = find(marks[1], "Track");
    assert_eq!(tracks.len(), 1);
    assert_eq!((find(tracks[0], "when").len(), find(tracks[0], "coord").len()), (60, 60));
    assert_eq!(text(tracks[0], "coord"), "8.6 50.1 100");
    let one = get("&uid=B-1&multiTrackThreshold=0.5");
    let tree = parse(one.text());
    assert_eq!(find(tree.root_element(), "Placemark").len(), 1);
    assert_eq!(find(tree.root_element(), "Track").len(), 60);
}
