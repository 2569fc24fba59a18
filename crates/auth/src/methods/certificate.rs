//! Certificates of clients (mutual TLS): what the handshake has checked, mapped to a principal (row AUTH-7).

use aws_lc_rs::digest::{SHA256, digest};
use omni_types::{Identity, Principal, PrincipalKind};
use serde_json::{Map, Value};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::auth_settings::{CertificateField, CertificateSettings};
use crate::identified::Verified;
use crate::refusal::Refusal;

/// Names of one certificate, and bytes of one. A certificate with more is refused: which to leave out might decide.
const NAMES_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 1_024;
/// Attribute types with a short name (RFC 4514 section 3), and the one for e-mail addresses that authorities still write.
const SHORT: [(&[u64], &str); 10] = [
    (&[2, 5, 4, 3], "CN"),
    (&[2, 5, 4, 7], "L"),
    (&[2, 5, 4, 8], "ST"),
    (&[2, 5, 4, 10], "O"),
    (&[2, 5, 4, 11], "OU"),
    (&[2, 5, 4, 6], "C"),
    (&[2, 5, 4, 9], "STREET"),
    (&[0, 9, 2342, 19_200_300, 100, 1, 25], "DC"),
    (&[0, 9, 2342, 19_200_300, 100, 1, 1], "UID"),
    (&[1, 2, 840, 113_549, 1, 9, 1], "emailAddress"),
];

/// The holder of `der`, a certificate that the handshake has checked: signature, authority, time, revocation, use.
///
/// # Errors
/// When it names nobody by the operator's mapping.
pub(crate) fn verify(settings: &CertificateSettings, der: &[u8]) -> Result<Verified, Refusal> {
    let unreadable = |why: String| Refusal::invalid("the certificate cannot be read").because(why);
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
    if !rest.is_empty() {
        return Err(unreadable("something follows it".to_owned()));
    }
    let names = Names::of(&certificate).map_err(unreadable)?;
    let id = match names.of_field(settings.id) {
        [] => Err(Refusal::invalid(format!("the certificate has no {}, by which its holder is known", settings.id))),
        [one] => Ok(one.clone()),
        // Each of them may be somebody else's name.
        _ => Err(Refusal::invalid(format!("the certificate has more than one {}", settings.id))),
    }?;
    let all = |fields: &[CertificateField]| fields.iter().flat_map(|field| names.of_field(*field)).cloned().collect();
    let principal = Principal::build(Identity {
        issuer: Some(distinguished(certificate.issuer()).map_err(unreadable)?),
        tenant: settings.tenant.and_then(|field| names.of_field(field).first().cloned()),
        groups: all(&settings.groups),
        roles: all(&settings.roles),
        claims: names.claims(&certificate),
        ..Identity::new(PrincipalKind::Certificate, id)
    });
    let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
    Ok(Verified {
        id: Some(fingerprint(der)),
        issued_at: Some(seconds(certificate.validity().not_before.timestamp())),
        expires_at: Some(seconds(certificate.validity().not_after.timestamp())),
        ..Verified::new(principal)
    })
}

/// By which one certificate is revoked here.
fn fingerprint(der: &[u8]) -> String {
    omni_types::hex(digest(&SHA256, der).as_ref())
}

/// All names of a certificate's holder.
#[derive(Default)]
struct Names {
    subject: Vec<String>,
    common_name: Vec<String>,
    organization: Vec<String>,
    organizational_unit: Vec<String>,
    uri: Vec<String>,
    dns: Vec<String>,
    email: Vec<String>,
}

impl Names {
    fn of(certificate: &X509Certificate<'_>) -> Result<Self, String> {
        let mut names = Self::default();
        let subject = distinguished(certificate.subject())?;
        names.subject.extend((!subject.is_empty()).then_some(subject));
        for attribute in certificate.subject().iter_attributes() {
            let list = match short(attribute.attr_type()) {
                Some("CN") => &mut names.common_name,
                Some("O") => &mut names.organization,
                Some("OU") => &mut names.organizational_unit,
                _ => continue,
            };
            list.push(name(attribute.as_str().map_err(|error| error.to_string())?)?);
        }
        let alternatives = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
        for alternative in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
            match alternative {
                GeneralName::URI(text) => names.uri.push(name(text)?),
                GeneralName::DNSName(text) => names.dns.push(name(text)?.to_ascii_lowercase()),
                GeneralName::RFC822Name(text) => names.email.push(name(text)?),
                GeneralName::Invalid(..) => return Err("an alternative name is none".to_owned()),
                _ => {}
            }
        }
        let count = certificate.subject().iter_attributes().count() + names.uri.len() + names.dns.len();
        if count + names.email.len() > NAMES_MAX {
            return Err(format!("it has more than {NAMES_MAX} names"));
        }
        Ok(names)
    }

    fn of_field(&self, field: CertificateField) -> &[String] {
        match field {
            CertificateField::Subject => &self.subject,
            CertificateField::CommonName => &self.common_name,
            CertificateField::Organization => &self.organization,
            CertificateField::OrganizationalUnit => &self.organizational_unit,
            CertificateField::Uri => &self.uri,
            CertificateField::Dns => &self.dns,
            CertificateField::Email => &self.email,
        }
    }

    /// What policies may look at, under the names of the settings.
    fn claims(&self, certificate: &X509Certificate<'_>) -> Map<String, Value> {
        let field = |field: &CertificateField| (field.to_string(), Value::from(self.of_field(*field).to_vec()));
        let mut claims: Map<String, Value> = CertificateField::ALL.iter().map(field).collect();
        claims.retain(|_, value| value.as_array().is_some_and(|all| !all.is_empty()));
        claims.insert("serial".to_owned(), Value::from(certificate.raw_serial_as_string()));
        claims
    }
}

/// A text that is a name: within bounds, and nothing in it that programs end texts at or that nobody sees.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("a name is empty, longer than {NAME_BYTES_MAX} bytes, or has control characters"));
    }
    Ok(text.to_owned())
}

fn short(oid: &Oid<'_>) -> Option<&'static str> {
    let is = |known: &[u64]| oid.iter().is_some_and(|steps| steps.eq(known.iter().copied()));
    SHORT.iter().find(|(known, _)| is(known)).map(|(_, name)| *name)
}

/// A distinguished name as text (RFC 4514). Escaped, so that no two names have one text.
fn distinguished(name: &X509Name<'_>) -> Result<String, String> {
    let mut parts = Vec::new();
    for set in name.iter() {
        let mut attributes = Vec::new();
        for attribute in set.iter() {
            let value = match attribute.as_str() {
                Ok(text) => escaped(self::name(text)?.as_str()),
                Err(_) => format!("#{}", omni_types::hex(attribute.as_slice())),
            };
            let kind = short(attribute.attr_type()).map_or_else(|| attribute.attr_type().to_string(), str::to_owned);
            attributes.push(format!("{kind}={value}"));
        }
        parts.push(attributes.join("+"));
    }
    // The nearest comes first.
    parts.reverse();
    if parts.len() > NAMES_MAX {
        return Err(format!("it has more than {NAMES_MAX} names"));
    }
    Ok(parts.join(","))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.chars().count() - 1;
    for (at, c) in text.chars().enumerate() {
        let at_an_end = (c == ' ' && (at == 0 || at == last)) || (c == '#' && at == 0);
        if at_an_end || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests;
