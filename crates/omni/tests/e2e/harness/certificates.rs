//! An authority of a test's own, and what it vouches for.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) serial: u64,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine.
    pub(crate) fn server(&self, serial: u64) -> Certified {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        self.sign(CertificateParams::new(names).unwrap(), serial, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate of a client with this common name, and this URI where one is given.
    pub(crate) fn client(&self, name: &str, uri: Option<&str>, serial: u64) -> Certified {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names.extend(uri.map(|uri| SanType::URI(uri.try_into().unwrap())));
        self.sign(params, serial, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, serial: u64, usage: ExtendedKeyUsagePurpose) -> Certified {
        let key = KeyPair::generate().unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certified { chain: certificate.pem(), key: key.serialize_pem(), serial }
    }

    /// A list that takes these serial numbers back.
    pub(crate) fn revocation_list(&self, number: u64, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2999, 1, 1),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

impl Certified {
    /// Puts chain and key into `folder` as `NAME.pem` and `NAME.key`, the way a renewal does: both new, then in place.
    pub(crate) fn put(&self, folder: &Path, name: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        for (ending, text) in [("key", &self.key), ("pem", &self.chain)] {
            let (new, file) = (folder.join(format!("{name}.{ending}.new")), folder.join(format!("{name}.{ending}")));
            std::fs::write(&new, text).unwrap();
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
            std::fs::rename(new, file).unwrap();
        }
    }
}
