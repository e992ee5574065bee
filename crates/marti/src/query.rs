//! Parameters of a request.

use form_urlencoded::parse;

/// Most parameters of a request that are looked at.
const MAX_PARAMETERS: usize = 1024;

/// Parameters of a request, by name in whatever case. What nobody asks for is ignored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of a URL after the question mark, or a form. `+` is a space.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let pairs = parse(text).take(MAX_PARAMETERS);
        Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    /// Replaces all values of a parameter by one.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.0.retain(|(name, _)| !name.eq_ignore_ascii_case(key));
        self.0.push((key.to_owned(), value.to_owned()));
    }

    /// The first value that is not empty.
    pub(crate) fn get<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).find(|value| !value.is_empty())
    }

    /// The first value, which may be empty.
    pub(crate) fn first<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).next()
    }

    /// Every value.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let matching = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        matching.map(|(_, value)| value.as_str())
    }

    /// Every value of a list, whether the parameter is repeated or its values are joined by commas.
    pub(crate) fn list<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(key).flat_map(|value| value.split(',')).map(str::trim).filter(|v| !v.is_empty())
    }

    /// Whether it is `true`, or there without a value.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.first(key).is_some_and(|value| value.is_empty() || value.eq_ignore_ascii_case("true"))
    }

    /// A value, read.
    ///
    /// # Errors
    ///
    /// The value, when it cannot be read.
    pub(crate) fn read<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, String> {
        match self.get(key) {
            Some(value) => value.trim().parse().map(Some).map_err(|_| value.to_owned()),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_lists_in_both_forms() {
        let mut query = Query::parse(b"CreatorUid=A+1&keywords=a,b&Keywords=c&x=%C3%A9&flag&n=12");
        assert_eq!(query.get("creatoruid"), Some("A 1"));
        assert_eq!(query.list("keywords").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(query.get("X"), Some("é"));
        assert!(query.is_set("flag") && !query.is_set("x"));
        assert_eq!(query.read("n"), Ok(Some(12)));
        assert_eq!(query.read::<u32>("x"), Err("é".to_owned()));
        assert_eq!(query.get("nothing"), None);
        query.set("keywords", "d");
        assert_eq!(query.list("keywords").collect::<Vec<_>>(), ["d"]);
    }
}
