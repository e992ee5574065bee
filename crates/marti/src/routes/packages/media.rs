//! Types that downloads may have.

/// Types that no browser takes for a page or a program (robustness T21).
const HARMLESS: &[&str] = &[
    "application/gpx+xml",
    "application/gzip",
    "application/json",
    "application/octet-stream",
    "application/pdf",
    "application/vnd.google-earth.kml+xml",
    "application/vnd.google-earth.kmz",
    "application/x-zip-compressed",
    "application/zip",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
    "text/csv",
    "text/plain",
    "video/mp4",
    "video/mpeg",
    "video/quicktime",
    "video/webm",
];

/// What a download says it is: what the uploader said when that is harmless, and otherwise bytes.
pub(super) fn harmless(mime_type: &str) -> &'static str {
    let bare = mime_type.split(';').next().unwrap_or_default().trim();
    let known = HARMLESS.iter().find(|known| known.eq_ignore_ascii_case(bare));
    known.copied().unwrap_or("application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_run_is_bytes() {
        for risky in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "text/javascript",
            "",
        ] {
            assert_eq!(harmless(risky), "application/octet-stream", "{risky}");
        }
        assert_eq!(harmless("text/plain; charset=utf-8"), "text/plain");
        assert_eq!(harmless("Application/ZIP"), "application/zip");
        assert_eq!(harmless("image/png\r\nX: y"), "application/octet-stream");
    }
}
