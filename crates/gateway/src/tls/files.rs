//! From files to what TLS is spoken with.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::tls::settings::{ClientCertificateSettings, TlsSettings, TlsVersion};

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The settings, where nobody says otherwise.
pub(super) const SECTION: &str = "gateway.tls";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[error("{section}.{key}: {}: {why}", file.display())]
pub struct TlsError {
    /// The settings of which it is one.
    pub section: &'static str,
    /// The setting that names the file.
    pub key: &'static str,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, and what to do.
    pub why: String,
}

/// What was read from the files.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// Checks certificates of clients, where any are believed.
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// Reads everything that `settings` name.
pub(super) fn load(settings: &TlsSettings) -> Result<Loaded, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let at_certificate =
        |why: String| TlsError { section: SECTION, key: "certificate", file: settings.certificate.clone(), why };
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| at_certificate(error.to_string()))?;
    let clients = settings.client_certificates.as_ref().map(|clients| verifier(clients, provider)).transpose()?;
    let builder = match &clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
    };
    let chain = certificates("certificate", &settings.certificate)?;
    let key = private_key(&settings.key)?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => at_certificate(format!(
            "the key in {} is not this certificate's; the first certificate must be the hub's own",
            settings.key.display()
        )),
        other => at_certificate(other.to_string()),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Loaded { config: Arc::new(config), clients })
}

/// Checks clients' certificates up to the authorities that the operator names, and those alone.
fn verifier(
    settings: &ClientCertificateSettings,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let authorities = "client_certificates.authorities";
    let fail = |why: String| TlsError { section: SECTION, key: authorities, file: settings.authorities.clone(), why };
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities, &settings.authorities)? {
        roots.add(authority).map_err(|error| fail(error.to_string()))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let mut lists = Vec::new();
    for file in &settings.revocation_lists {
        lists.extend(revocation_lists(file)?);
    }
    if !lists.is_empty() {
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    if !settings.required {
        builder = builder.allow_unauthenticated();
    }
    let built = builder.build().map_err(|error| fail(error.to_string()))?;
    Ok(built)
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |why: String| TlsError { section: SECTION, key, file: file.to_owned(), why };
    let text = read(file).map_err(|error| fail(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(fail("holds no `BEGIN CERTIFICATE`: PEM is expected".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(fail(format!("is no PEM: {error}"))),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let fail = |why: String| TlsError { section: SECTION, key: "key", file: file.to_owned(), why };
    let text = read(file).map_err(|error| fail(error.to_string()))?;
    warn_if_others_may_read(file);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if text.windows(9).any(|w| w == b"ENCRYPTED") => {
            fail("is encrypted: give the hub a key without a passphrase, readable for its user alone".to_owned())
        }
        pem::Error::NoItemsFound => fail("holds no `BEGIN PRIVATE KEY`: PEM is expected".to_owned()),
        other => fail(format!("is no PEM: {other}")),
    })
}

/// All lists of a file, which is PEM or one list in DER, as authorities publish them.
fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let fail = |why: String| TlsError {
        section: SECTION,
        key: "client_certificates.revocation_lists",
        file: file.to_owned(),
        why,
    };
    let bytes = read(file).map_err(|error| fail(error.to_string()))?;
    if !bytes.starts_with(b"-----") && !bytes.windows(11).any(|w| w == b"-----BEGIN ") {
        return Ok(vec![CertificateRevocationListDer::from(bytes)]);
    }
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(fail("holds no `BEGIN X509 CRL`".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(fail(format!("is no PEM: {error}"))),
    }
}

/// The file's bytes, within bounds.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn warn_if_others_may_read(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(file).map(|meta| meta.permissions().mode() & 0o777).unwrap_or(0);
    if mode & 0o007 != 0 {
        tracing::warn!(file = %file.display(), mode = %format!("{mode:o}"), "everybody on this machine may read the key of TLS: `chmod 600` it");
    }
}
