//! A hub elsewhere: its admin API over TLS, with a key, token or certificate that never stands on the command line.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use http::{HeaderValue, Method};
use omni_egress::{Dial, Fetcher, OwnTls, Target};

use crate::config::Surroundings;
use crate::run;

/// The variable that names a hub elsewhere.
const ADMIN: &str = "OMNI_ADMIN";
/// The variable that holds a key or token.
const TOKEN: &str = "OMNI_ADMIN_TOKEN";
/// For the hub to answer.
const PATIENCE: Duration = Duration::from_secs(40);
/// Bytes of an answer, and of a file that is read here.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Which hub is meant, when it is another one than this machine's.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RemoteArgs {
    /// Ask the hub whose admin API is at this address, such as `https://hub.example.com:8421`, instead of this machine's. A key or
    /// token comes from $OMNI_ADMIN_TOKEN or --admin-token-file. For commands that can, $OMNI_ADMIN says the same.
    #[arg(long, global = true, value_name = "URL")]
    admin: Option<String>,
    /// File with the key or token for --admin.
    #[arg(long, global = true, env = "OMNI_ADMIN_TOKEN_FILE", value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// Certificates of the authorities that may vouch for the hub of --admin, instead of the system's.
    #[arg(long, global = true, env = "OMNI_ADMIN_CA", value_name = "FILE")]
    admin_ca: Option<PathBuf>,
    /// Certificate to show to the hub of --admin, with its key in the same file or in --admin-key.
    #[arg(long, global = true, env = "OMNI_ADMIN_CERTIFICATE", value_name = "FILE")]
    admin_certificate: Option<PathBuf>,
    /// Key of --admin-certificate.
    #[arg(long, global = true, env = "OMNI_ADMIN_KEY", value_name = "FILE", requires = "admin_certificate")]
    admin_key: Option<PathBuf>,
}

impl RemoteArgs {
    /// Whether the command line names one.
    pub(crate) const fn is_given(&self) -> bool {
        self.admin.is_some()
    }

    /// The hub elsewhere, where the command line or the environment names one.
    pub(crate) fn named(self, around: &Surroundings) -> Option<Remote> {
        let url = self.admin.clone().or_else(|| around.variable(ADMIN).map(ToOwned::to_owned))?;
        Some(Remote { url, args: self })
    }
}

/// A hub elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    url: String,
    args: RemoteArgs,
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Remote {
    /// Status and body of its answer; `path` begins below its address.
    pub(crate) fn exchange(
        &self,
        around: &Surroundings,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<(u16, String)> {
        let base = self.url.trim_end_matches('/');
        if !base.starts_with("https://") {
            bail!("--admin {base}: the admin API is spoken over TLS alone: https://");
        }
        let target = Target::parse(&format!("{base}{path}")).with_context(|| format!("--admin {base}"))?;
        let target = match self.dial()? {
            Some(dial) => target.dialed_by(dial),
            None => target,
        };
        let authorization = self.authorization(around)?;
        let method = Method::from_bytes(method.as_bytes())?;
        let fetcher = Fetcher::of(target, ANSWER_BYTES_MAX, PATIENCE);
        let answer = run::runtime()?.block_on(fetcher.ask(method, authorization, body));
        let answer = answer.with_context(|| format!("the hub at {base} did not answer"))?;
        Ok((answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).context("the answer is no UTF-8")?))
    }

    /// From a file or the environment: what stands on a command line, every program of the machine may read.
    fn authorization(&self, around: &Surroundings) -> Result<Option<HeaderValue>> {
        let token = match &self.args.admin_token_file {
            Some(file) => Some(text(file)?),
            None => around.variable(TOKEN).map(ToOwned::to_owned),
        };
        let Some(token) = token.map(|token| token.trim().to_owned()) else {
            if self.args.admin_certificate.is_none() {
                bail!(
                    "--admin {}: there is nothing to log in with: set {TOKEN}, --admin-token-file or --admin-certificate",
                    self.url
                );
            }
            return Ok(None);
        };
        let wrong = || anyhow!("the key or token for --admin holds what no key or token does");
        HeaderValue::from_str(&format!("Bearer {token}")).map(Some).map_err(|_| wrong())
    }

    /// How connections are made, where the system's own way is not meant.
    fn dial(&self) -> Result<Option<Arc<dyn Dial>>> {
        let RemoteArgs { admin_ca, admin_certificate, admin_key, .. } = &self.args;
        if admin_ca.is_none() && admin_certificate.is_none() {
            return Ok(None);
        }
        let authorities = admin_ca.as_deref().map(bytes).transpose()?;
        let chain = admin_certificate.as_deref().map(bytes).transpose()?;
        let key = admin_key.as_ref().or(admin_certificate.as_ref()).map(|file| bytes(file)).transpose()?;
        let tls = OwnTls { authorities: authorities.as_deref(), identity: chain.as_deref().zip(key.as_deref()) };
        tls.dial().map(Some).map_err(|why| anyhow!("--admin-ca, --admin-certificate or --admin-key: {why}"))
    }
}

fn text(file: &Path) -> Result<String> {
    String::from_utf8(bytes(file)?).with_context(|| format!("{} is no UTF-8", file.display()))
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(file)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    read().with_context(|| file.display().to_string())
}
