//! Certificates as authorities write them, and as nobody should.
#![allow(clippy::unwrap_used)]

use omni_types::PrincipalKind;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

use super::verify;
use crate::auth_settings::{CertificateField, CertificateSettings};
use crate::identified::Verified;

fn certificate(subject: &[(DnType, &str)], alternatives: Vec<SanType>) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), DnValue::Utf8String((*value).to_owned()));
    }
    params.subject_alt_names = alternatives;
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn by(id: CertificateField, der: &[u8]) -> Result<Verified, String> {
    let settings = CertificateSettings { id, ..CertificateSettings::default() };
    verify(&settings, der).map_err(|refusal| refusal.to_string())
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[test]
fn auth_7_each_name_of_a_certificate_can_be_who_it_is() {
    let subject =
        [(DnType::OrganizationName, "Example"), (DnType::OrganizationalUnitName, "dev"), (DnType::CommonName, "ann")];
    let alternatives = vec![
        uri("spiffe://example/ann"),
        SanType::DnsName("ANN.example".try_into().unwrap()),
        SanType::Rfc822Name("ann@example".try_into().unwrap()),
    ];
    let der = certificate(&subject, alternatives);
    for (field, id) in [
        (CertificateField::Subject, "CN=ann,OU=dev,O=Example"),
        (CertificateField::CommonName, "ann"),
        (CertificateField::Organization, "Example"),
        (CertificateField::OrganizationalUnit, "dev"),
        (CertificateField::Uri, "spiffe://example/ann"),
        (CertificateField::Dns, "ann.example"),
        (CertificateField::Email, "ann@example"),
    ] {
        let verified = by(field, &der).unwrap();
        let principal = &verified.principal;
        assert_eq!((principal.id(), principal.kind()), (id, PrincipalKind::Certificate), "{field}");
        assert_eq!(principal.groups(), ["dev"]);
        assert!(principal.roles().is_empty() && principal.tenant().is_none());
        assert_eq!(principal.issuer(), Some("CN=ann,OU=dev,O=Example"));
        assert!(verified.expires_at > verified.issued_at && verified.id.as_ref().unwrap().len() == 64);
        assert_eq!(principal.claims()["uri"][0], "spiffe://example/ann");
    }
    let settings = CertificateSettings {
        tenant: Some(CertificateField::Organization),
        roles: vec![CertificateField::OrganizationalUnit],
        groups: vec![CertificateField::Dns, CertificateField::Email],
        ..CertificateSettings::default()
    };
    let principal = verify(&settings, &der).unwrap().principal;
    assert_eq!((principal.tenant(), principal.roles()), (Some("Example"), &["dev".to_owned()][..]));
    assert_eq!(principal.groups(), ["ann.example", "ann@example"]);
}

#[test]
fn auth_7_who_a_certificate_names_is_one_and_no_guess() {
    let nobody = certificate(&[(DnType::OrganizationName, "Example")], Vec::new());
    assert!(by(CertificateField::CommonName, &nobody).unwrap_err().contains("has no common_name"));
    let two = certificate(&[(DnType::CommonName, "ann")], vec![uri("urn:a"), uri("urn:b")]);
    assert!(by(CertificateField::Uri, &two).unwrap_err().contains("more than one uri"));
    // A name that another program would cut off, or that nobody sees to its end.
    for trick in ["ann\0.example", "ann\n", "ann\u{85}", ""] {
        let der = certificate(&[(DnType::CommonName, trick)], Vec::new());
        assert!(by(CertificateField::CommonName, &der).is_err(), "{trick:?}");
    }
    let long = certificate(&[(DnType::CommonName, &"a".repeat(2_000))], Vec::new());
    assert!(by(CertificateField::CommonName, &long).is_err());
    let many = certificate(&[(DnType::CommonName, "ann")], (0..300).map(|at| uri(&format!("urn:{at}"))).collect());
    assert!(by(CertificateField::CommonName, &many).unwrap_err().contains("names"));
}

#[test]
fn auth_7_no_two_subjects_have_one_text() {
    let one = certificate(&[(DnType::CommonName, "ann,O=Example")], Vec::new());
    let other = certificate(&[(DnType::OrganizationName, "Example"), (DnType::CommonName, "ann")], Vec::new());
    let text = |der: &[u8]| by(CertificateField::Subject, der).unwrap().principal.id().to_owned();
    assert_eq!(text(&one), r"CN=ann\,O\=Example");
    assert_eq!(text(&other), "CN=ann,O=Example");
    let odd = certificate(&[(DnType::CommonName, "#a b ")], Vec::new());
    assert_eq!(text(&odd), r"CN=\#a b\ ");
}

#[test]
fn auth_7_what_is_no_certificate_is_refused_and_breaks_nothing() {
    let good = certificate(&[(DnType::CommonName, "ann")], vec![uri("urn:a")]);
    assert!(by(CertificateField::CommonName, &good).is_ok());
    for end in 0..good.len() {
        assert!(by(CertificateField::CommonName, &good[..end]).is_err(), "{end}");
    }
    assert!(by(CertificateField::CommonName, &[good.as_slice(), b"x"].concat()).is_err());
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 0x55;
        // Whatever it says, it is said in time and without a panic.
        let _whatever = by(CertificateField::CommonName, &bent);
    }
}
