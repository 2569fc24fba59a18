//! The shapes that makers of keys gave them so that they are found.

/// What the rest of a key is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Upper,
    Alnum,
    /// Letters, digits, `_` and `-`.
    Url,
    /// The same, and dots.
    Dotted,
    Hex,
}

impl Of {
    pub(super) const fn has(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => Self::Url.has(byte) || byte == b'.',
            Self::Hex => byte.is_ascii_hexdigit(),
        }
    }
}

/// A prefix, what follows it, and how much of that.
pub(super) struct Shape(
    pub(super) &'static str,
    pub(super) Of,
    pub(super) usize,
    pub(super) usize,
    pub(super) &'static str,
);

pub(super) const SHAPES: &[Shape] = &[
    Shape("AKIA", Of::Upper, 16, 16, "AWS key"),
    Shape("ASIA", Of::Upper, 16, 16, "AWS key"),
    Shape("ghp_", Of::Alnum, 36, 255, "GitHub token"),
    Shape("gho_", Of::Alnum, 36, 255, "GitHub token"),
    Shape("ghu_", Of::Alnum, 36, 255, "GitHub token"),
    Shape("ghs_", Of::Url, 36, 520, "GitHub token"),
    Shape("ghr_", Of::Alnum, 36, 255, "GitHub token"),
    Shape("github_pat_", Of::Url, 60, 255, "GitHub token"),
    Shape("glpat-", Of::Url, 20, 64, "GitLab token"),
    Shape("xoxb-", Of::Url, 20, 255, "Slack token"),
    Shape("xoxp-", Of::Url, 20, 255, "Slack token"),
    Shape("xoxa-", Of::Url, 20, 255, "Slack token"),
    Shape("xoxr-", Of::Url, 20, 255, "Slack token"),
    Shape("xoxs-", Of::Url, 20, 255, "Slack token"),
    Shape("xapp-", Of::Url, 20, 255, "Slack token"),
    Shape("sk_live_", Of::Alnum, 16, 255, "Stripe key"),
    Shape("rk_live_", Of::Alnum, 16, 255, "Stripe key"),
    Shape("whsec_", Of::Alnum, 24, 255, "Stripe key"),
    Shape("sk-ant-", Of::Url, 32, 255, "Anthropic key"),
    Shape("sk-proj-", Of::Url, 40, 255, "OpenAI key"),
    Shape("sk-", Of::Alnum, 48, 48, "OpenAI key"),
    Shape("AIza", Of::Url, 35, 35, "Google key"),
    Shape("ya29.", Of::Url, 40, 512, "Google token"),
    Shape("npm_", Of::Alnum, 36, 36, "npm token"),
    Shape("pypi-AgEIcHlwaS5vcmc", Of::Url, 50, 512, "PyPI token"),
    Shape("hvs.", Of::Url, 24, 255, "Vault token"),
    Shape("dop_v1_", Of::Hex, 64, 64, "DigitalOcean token"),
    Shape("hf_", Of::Alnum, 34, 40, "Hugging Face token"),
    Shape("SG.", Of::Dotted, 60, 80, "SendGrid key"),
];

/// Where other searches begin.
const JWT: &str = "eyJ";
pub(super) const PEM: &str = "-----BEGIN ";
const URL: &str = "://";

/// What keys begin with, and where other searches begin.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.0).chain([JWT, PEM, URL])
}
