//! What an entry's environment and headers hold that is had only when a process is started or a connection is made.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use omni_types::ServerName;

use crate::error::LinkError;

/// Texts with their values put in, by key; or why they cannot be had.
pub type Filling<'a> = Pin<Box<dyn Future<Output = Result<BTreeMap<String, String>, String>> + Send + 'a>>;

/// Puts values in the place of references. The Secret Manager is one; the proxy knows none of it.
pub trait Fill: Send + Sync + fmt::Debug {
    /// The texts of `server`'s entry with their values put in.
    fn fill<'a>(&'a self, server: &'a ServerName, texts: &'a BTreeMap<String, String>) -> Filling<'a>;
}

/// Texts with references, and who puts the values in.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Variables of a process.
    pub(crate) env: BTreeMap<String, String>,
    /// Headers of requests.
    pub(crate) headers: BTreeMap<String, String>,
    from: Option<Arc<dyn Fill>>,
}

/// By what is written: who puts the values in does not make a server another one.
impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.env == other.env && self.headers == other.headers
    }
}

impl Credentials {
    pub(crate) const fn new(env: BTreeMap<String, String>, headers: BTreeMap<String, String>) -> Self {
        Self { env, headers, from: None }
    }

    /// Whether there is nothing to be put in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.headers.is_empty()
    }

    /// From now on `from` puts the values in.
    pub fn had_from(&mut self, from: Arc<dyn Fill>) {
        self.from = Some(from);
    }

    /// The variables whose values are had now.
    pub(crate) async fn variables(&self, server: &ServerName) -> Result<BTreeMap<String, String>, LinkError> {
        self.filled(server, &self.env).await
    }

    /// The headers whose values are had now.
    pub(crate) async fn fields(&self, server: &ServerName) -> Result<HeaderMap, LinkError> {
        let mut fields = HeaderMap::new();
        for (key, value) in self.filled(server, &self.headers).await? {
            let wrong = || LinkError::Secrets { why: format!("the value of `headers.{key}` cannot stand in a header") };
            let name = HeaderName::try_from(key.as_str()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            fields.insert(name, value);
        }
        Ok(fields)
    }

    async fn filled(
        &self,
        server: &ServerName,
        texts: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, LinkError> {
        if texts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let from = self.from.as_ref().ok_or_else(|| LinkError::Secrets { why: "nobody here gives any".to_owned() })?;
        from.fill(server, texts).await.map_err(|why| LinkError::Secrets { why })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use omni_types::ServerName;

    use super::{Fill, Filling};
    use crate::error::LinkError;
    use crate::settings::ServerSettings;
    use crate::spec::{ServerSpec, Transport};

    #[derive(Debug)]
    struct Upper;

    impl Fill for Upper {
        fn fill<'a>(&'a self, server: &'a ServerName, texts: &'a BTreeMap<String, String>) -> Filling<'a> {
            Box::pin(async move {
                let line = |(key, text): (&String, &String)| match text.as_str() {
                    "missing" => Err(format!("{server} may not have it")),
                    text => Ok((key.clone(), text.to_uppercase())),
                };
                texts.iter().map(line).collect()
            })
        }
    }

    fn spec(text: &str) -> ServerSpec {
        let secret_env = [("KEY".to_owned(), text.to_owned())].into();
        let env = [("PLAIN".to_owned(), "p".to_owned())].into();
        let settings = ServerSettings { command: Some("x".into()), env, secret_env, ..Default::default() };
        ServerSpec::build("s", &settings, Path::new("omni")).unwrap()
    }

    #[tokio::test]
    async fn sec_3_values_are_put_in_when_a_process_is_started() {
        let mut of_key = spec("a");
        let nobody = of_key.credentials.variables(&of_key.name).await;
        assert!(matches!(nobody, Err(LinkError::Secrets { .. })), "nothing is started without its secrets");
        let as_written = of_key.clone();
        of_key.credentials.had_from(Arc::new(Upper));
        assert_eq!(of_key, as_written);
        let filled = of_key.credentials.variables(&of_key.name).await.unwrap();
        assert_eq!(filled, [("KEY".to_owned(), "A".to_owned())].into());
        assert!(of_key.credentials.fields(&of_key.name).await.unwrap().is_empty());
        let Transport::Stdio(stdio) = &of_key.transport else { panic!("stdio") };
        assert!(!stdio.env.contains_key("KEY"), "what is kept holds no value");
        let mut missing = spec("missing");
        missing.credentials.had_from(Arc::new(Upper));
        let told = missing.credentials.variables(&missing.name).await.unwrap_err();
        assert_eq!(
            (told.to_string().as_str(), told.reason()),
            ("its secrets cannot be had: s may not have it", "secrets")
        );
    }

    #[test]
    fn sec_3_a_header_of_the_transport_is_no_secrets_place() {
        let secret_headers = [("Host".to_owned(), "x".to_owned())].into();
        let wrong = ServerSettings { url: Some("http://h/".into()), secret_headers, ..Default::default() };
        assert!(ServerSpec::build("s", &wrong, Path::new("omni")).unwrap_err().to_string().contains("headers.Host"));
    }
}
