//! What the schema cannot say: keys that do not go together, names, addresses, patterns.

use std::net::SocketAddr;
use std::path::Path;

use omni_auth::settings::{AuthMode, AuthSettings};
use omni_gateway::tls::TlsSettings;
use omni_proxy::ServerSpec;

use crate::config::settings::{BuiltinSettings, PoolSettings, ServerSettings, Settings, Sharing};

/// Longest name of a server: with `__` and a tool's name it has to fit a client's 64 characters.
const NAME_CHARS_MAX: usize = 32;
/// By what policies call the hub itself.
const OWN_NAME: &str = "omni";
/// Longest pattern of the policy, in bytes.
const PATTERN_BYTES_MAX: usize = 512;

/// A complaint about the value, or the key, that a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) path: Vec<String>,
    /// Whether the key is meant and not its value.
    pub(crate) key: bool,
    pub(crate) message: String,
}

/// All complaints about the whole; `stated` tells whether a server's entry has a key in the text.
pub(crate) fn settings_problems(settings: &Settings, stated: &dyn Fn(&str, &str) -> bool) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (name, server) in &settings.servers {
        let add = |mut complaint: Complaint| {
            complaint.path.splice(0..0, ["servers".to_owned(), name.clone()]);
            complaint
        };
        found.extend(
            server_name_fault(name)
                .map(|message| add(key(&[], format!("`{name}` cannot be a server's name: {message}")))),
        );
        let mut own = server_problems(server, &|field| stated(name, field));
        if own.is_empty() && !server.disabled && server_name_fault(name).is_none() {
            own.extend(spec_fault(name, server));
        }
        found.extend(own.into_iter().map(add));
    }
    found.extend(gateway_problems(settings));
    found.extend(admin_problems(settings));
    found.extend(auth_problems(&settings.auth));
    found.extend(certificate_problems(settings));
    for (key, why) in crate::config::audit::faults(&settings.audit) {
        found.push(value(&key.split('.').collect::<Vec<_>>(), why));
    }
    if let Err((key, why)) = omni_hub::Throttle::build(&settings.throttle) {
        found.push(value(&key.splitn(3, '.').collect::<Vec<_>>(), why));
    }
    if let Err((key, why)) = omni_cache::Cache::build(&settings.cache, omni_cache::Clock::running()) {
        found.push(value(&key.split(['.', '[']).map(|step| step.trim_end_matches(']')).collect::<Vec<_>>(), why));
    }
    for (path, patterns) in pattern_lists(settings) {
        for (index, pattern) in patterns.iter().enumerate() {
            let fault = pattern_fault(pattern);
            found.extend(fault.map(|message| at_pattern(&path, index, message)));
        }
    }
    for (key, why) in settings.profiles.iter().flat_map(|profiles| profiles.faults()) {
        found.push(value(
            &[&["profiles".to_owned()], key.as_slice()].concat().iter().map(String::as_str).collect::<Vec<_>>(),
            why,
        ));
    }
    for (name, source) in settings.profiles.iter().flat_map(|profiles| &profiles.remote) {
        let fault = source.token.as_deref().and_then(token_fault);
        found.extend(fault.map(|why| value(&["profiles", "remote", name, "token"], why)));
    }
    if let Err(error) = omni_screen::Screen::build(&settings.validation, &settings.answers) {
        found.push(Complaint { path: error.path, key: false, message: error.why });
    }
    found
}

/// Complaints that do not keep the hub from running: patterns that name no server.
pub(crate) fn settings_warnings(settings: &Settings) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (path, patterns) in pattern_lists(settings) {
        for (index, pattern) in patterns.iter().enumerate() {
            let (server, _) = split_pattern(pattern);
            if !server.contains(['*', '?'])
                && server != OWN_NAME
                && !settings.servers.contains_key(server)
                && !settings.servers.is_empty()
            {
                let near = crate::config::nearest::nearest(server, settings.servers.keys().map(String::as_str));
                let hint = near.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default();
                let message = format!("`{pattern}` names no server of this file{hint}");
                found.push(at_pattern(&path, index, message));
            }
        }
    }
    found
}

/// All lists of patterns of the policy, each with its key.
fn pattern_lists(settings: &Settings) -> Vec<(Vec<&str>, &[String])> {
    let policy = &settings.policy;
    let mut lists: Vec<(Vec<&str>, &[String])> = vec![
        (vec!["policy", "allow"], &policy.allow),
        (vec!["policy", "deny"], &policy.deny),
        (vec!["policy", "approve"], &policy.approve),
    ];
    for (name, role) in &policy.roles {
        let key = |list| vec!["policy", "roles", name.as_str(), list];
        lists.push((key("allow"), role.allow.as_deref().unwrap_or_default()));
        lists.push((key("deny"), &role.deny));
        lists.push((key("approve"), &role.approve));
    }
    lists
}

fn at_pattern(path: &[&str], index: usize, message: String) -> Complaint {
    let index = index.to_string();
    value(&[path, &[index.as_str()]].concat(), message)
}

/// Why a name cannot be a server's.
pub(crate) fn server_name_fault(name: &str) -> Option<&'static str> {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.eq_ignore_ascii_case(OWN_NAME) {
        Some("policies mean the hub's own tools by it (`omni:apply_profile`)")
    } else if name.chars().count() > NAME_CHARS_MAX {
        Some("it is longer than 32 characters")
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("it starts with a letter or a digit")
    } else if !name.chars().all(right) {
        Some("only letters, digits, `_` and `-` are allowed")
    } else if name.contains("__") {
        Some("`__` parts the server from the tool in `server__tool`")
    } else if name.ends_with('_') {
        Some("it may not end in `_`, because `server__tool` could then be read in two ways")
    } else {
        None
    }
}

/// Complaints about one server's entry, paths relative to it.
fn server_problems(server: &ServerSettings, stated: &dyn Fn(&str) -> bool) -> Vec<Complaint> {
    let mut found = Vec::new();
    let kinds: Vec<&str> = ["command", "url", "builtin"].into_iter().filter(|kind| stated(kind)).collect();
    match kinds.as_slice() {
        [] => found.push(key(&[], "says neither `command`, `url` nor `builtin`: one of them is needed".to_owned())),
        [kind] => found.extend(misplaced(kind, stated)),
        [_, second, ..] => {
            let message = format!("`{}` exclude one another: an entry has one of them", kinds.join("` and `"));
            found.push(key(&[second], message));
        }
    }
    if server.command.as_deref().is_some_and(|command| command.trim().is_empty() || command.contains('\0')) {
        found.push(value(&["command"], "is empty: name a program".to_owned()));
    }
    for (index, _) in server.args.iter().enumerate().filter(|(_, arg)| arg.contains('\0')) {
        found.push(value(&["args", &index.to_string()], "holds a NUL character, which no argument can".to_owned()));
    }
    for (name, text) in &server.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            found.push(key(&["env", name], format!("`{name}` cannot be the name of a variable")));
        } else if text.contains('\0') {
            found.push(value(&["env", name], "holds a NUL character, which no variable can".to_owned()));
        }
    }
    for (name, text) in &server.headers {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(right) {
            found.push(key(&["headers", name], format!("`{name}` cannot be the name of a header")));
        } else if text.chars().any(|c| c.is_control() && c != '\t') {
            found.push(value(&["headers", name], "holds a line break or another control character".to_owned()));
        }
    }
    // A disabled server keeps references to variables that are not set; its address is looked at when it is enabled.
    let address = server.url.as_deref().filter(|url| !(server.disabled && has_reference(url)));
    found.extend(address.and_then(server_url_fault).map(|message| value(&["url"], message.to_owned())));
    found.extend(server.builtin.as_ref().and_then(builtin_fault));
    let PoolSettings { initial, size, max, .. } = server.pool;
    if !(initial <= size && size <= max) {
        let message = format!(
            "wants initial <= size <= max; here they are {initial}, {size} and {max} (5, 10 and 20 when not said)"
        );
        found.push(key(&["pool"], message));
    }
    found
}

/// Keys that say nothing for this kind of server.
fn misplaced(kind: &str, stated: &dyn Fn(&str) -> bool) -> Vec<Complaint> {
    // What is built in runs as a child too: with an environment, a directory and a sharing of its own.
    let strange: &[(&str, &str)] = match kind {
        "command" => &[("headers", "url"), ("transport", "url")],
        "url" => &[("args", "command"), ("env", "command"), ("cwd", "command"), ("sharing", "command")],
        _ => &[("args", "command"), ("headers", "url"), ("transport", "url")],
    };
    let complaint =
        |(name, belongs): &(&str, &str)| key(&[name], format!("`{name}` goes with `{belongs}`, not with `{kind}`"));
    strange.iter().filter(|(name, _)| stated(name)).map(complaint).collect()
}

fn builtin_fault(builtin: &BuiltinSettings) -> Option<Complaint> {
    match builtin {
        BuiltinSettings::Filesystem { roots, .. } if roots.is_empty() => {
            Some(value(&["builtin", "roots"], "is empty: name at least one directory".to_owned()))
        }
        BuiltinSettings::Git { repositories, .. } if repositories.is_empty() => {
            Some(value(&["builtin", "repositories"], "is empty: name at least one repository".to_owned()))
        }
        BuiltinSettings::Database { url, .. } => {
            let known = ["sqlite:", "postgres://", "postgresql://"]
                .iter()
                .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
            let message = "is written `sqlite:FILE` or `postgres://USER@HOST/DATABASE`".to_owned();
            (!known).then(|| value(&["builtin", "url"], message))
        }
        _ => None,
    }
}

/// Whether a reference to a variable is left in a text, not one that is escaped.
fn has_reference(text: &str) -> bool {
    text.match_indices("${ENV:").any(|(at, _)| !text[..at].ends_with('$'))
}

/// Why an address cannot be a server's.
fn server_url_fault(url: &str) -> Option<&'static str> {
    match ["http://", "https://", "ws://", "wss://"].iter().find_map(|scheme| url.strip_prefix(scheme)) {
        Some(rest) => address_fault(url, rest),
        None => Some("starts with http://, https://, ws:// or wss://"),
    }
}

/// Why an address cannot be that of a page.
fn url_fault(url: &str) -> Option<&'static str> {
    match url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) {
        Some(rest) => address_fault(url, rest),
        None => Some("starts with http:// or https://"),
    }
}

/// What is wrong with `url`, whose part after the scheme is `rest`.
fn address_fault(url: &str, rest: &str) -> Option<&'static str> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("holds a space or a control character: write it as %20")
    } else if authority.contains('@') {
        Some("holds a user or password: put credentials under `headers`")
    } else if host.is_empty() {
        Some("names no host")
    } else if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        Some("has no right port: 1 to 65535")
    } else {
        None
    }
}

fn gateway_problems(settings: &Settings) -> Vec<Complaint> {
    let gateway = &settings.gateway;
    let mut found = Vec::new();
    match gateway.listen.parse::<SocketAddr>() {
        Err(_) => {
            let message = "is written as address and port, such as 127.0.0.1:8420 or [::1]:8420".to_owned();
            found.push(value(&["gateway", "listen"], message));
        }
        Ok(address) => {
            let why = omni_gateway::settings::exposed(gateway, address, crate::run::has_logins(settings));
            let message = |why| format!("can be reached from other machines, and {why}");
            found.extend(why.map(|why| value(&["gateway", "listen"], message(why))));
        }
    }
    for (index, origin) in gateway.allowed_origins.iter().enumerate() {
        let fault = url_fault(origin).or_else(|| {
            let path = origin.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']));
            path.then_some("is an origin, without a path: https://host:port")
        });
        found.extend(
            fault.map(|message| value(&["gateway", "allowed_origins", &index.to_string()], message.to_owned())),
        );
    }
    for (index, host) in gateway.allowed_hosts.iter().enumerate() {
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c)) {
            let message = "is a host name, without scheme or path".to_owned();
            found.push(value(&["gateway", "allowed_hosts", &index.to_string()], message));
        }
    }
    found
}

/// Beyond its socket the admin API is for who logs in.
fn admin_problems(settings: &Settings) -> Vec<Complaint> {
    let mut found = Vec::new();
    let Some(admin) = &settings.admin else { return found };
    if admin.listen.parse::<SocketAddr>().is_err() {
        let message = "is written as address and port, such as 127.0.0.1:8421 or [::1]:8421".to_owned();
        found.push(value(&["admin", "listen"], message));
    }
    if settings.auth.mode == AuthMode::None {
        let message =
            "nobody has to log in to this hub (`auth.mode: none`), so the admin API stays on its socket".to_owned();
        found.push(key(&["admin"], message));
    }
    let url = admin.public_url.as_deref();
    let fault = url.and_then(|url| url_fault(url).or((!url.starts_with("https://")).then_some("starts with https://")));
    found.extend(fault.map(|message| value(&["admin", "public_url"], message.to_owned())));
    found
}

/// Certificates let in only where the handshake asks for them.
fn certificate_problems(settings: &Settings) -> Option<Complaint> {
    let asks = |tls: &TlsSettings| tls.client_certificates.is_some();
    let asked = settings.gateway.tls.as_ref().is_some_and(asks);
    // Who comes with a certificate may be an administrator alone.
    let of_admin = settings.admin.as_ref().is_some_and(|admin| asks(&admin.tls));
    let message = "needs `gateway.tls.client_certificates`, which says whose certificates are believed".to_owned();
    match (settings.auth.mode, &settings.auth.certificates) {
        _ if asked => None,
        (AuthMode::Local | AuthMode::None | AuthMode::Oauth, Some(_)) if of_admin => None,
        (_, Some(_)) => Some(key(&["auth", "certificates"], message)),
        (AuthMode::Certificate, None) => Some(value(&["auth", "mode"], format!("`certificate` {message}"))),
        _ => None,
    }
}

fn auth_problems(auth: &AuthSettings) -> Vec<Complaint> {
    let mut found = Vec::new();
    match (auth.mode, auth.providers.is_empty()) {
        (AuthMode::Oauth, true) => {
            let message = "`oauth` needs `providers`: name the issuer of the tokens that are taken";
            found.push(value(&["auth", "mode"], message.to_owned()));
        }
        (AuthMode::Local | AuthMode::None | AuthMode::Certificate, false) => {
            let message = "says whose tokens are taken, which is done with `mode: oauth` alone";
            found.push(key(&["auth", "providers"], message.to_owned()));
        }
        _ => {}
    }
    for (index, provider) in auth.providers.iter().enumerate() {
        let index = index.to_string();
        let urls = [Some(("issuer", &provider.issuer)), provider.jwks_uri.as_ref().map(|url| ("jwks_uri", url))];
        for (name, url) in urls.into_iter().flatten() {
            let fault = url_fault(url).or_else(|| {
                (!omni_auth::may_be_asked(url, &provider.issuer))
                    .then_some("is an https:// address (http:// on this machine alone): who changes keys on the way lets himself in")
            });
            found.extend(fault.map(|message| value(&["auth", "providers", &index, name], message.to_owned())));
        }
    }
    found.extend(introspection_problems(auth));
    found
}

/// An opaque token does not tell whose it is, and is shown to one provider alone: what it begins with has to say which.
fn introspection_problems(auth: &AuthSettings) -> Vec<Complaint> {
    let mut found = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    let mut takes_the_rest = false;
    for (index, provider) in auth.providers.iter().enumerate() {
        let Some(introspection) = &provider.introspection else { continue };
        let index = index.to_string();
        let path = ["auth", "providers", index.as_str(), "introspection"];
        if introspection.token_prefixes.is_empty() && std::mem::replace(&mut takes_the_rest, true) {
            let message = "is said of a second provider without `token_prefixes`: an opaque token does not tell whose it is, \
                           and is shown to one alone";
            found.push(key(&path, message.to_owned()));
        }
        for (at, prefix) in introspection.token_prefixes.iter().enumerate() {
            let at = at.to_string();
            let path = [&path[..], &["token_prefixes", at.as_str()]].concat();
            if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
                found.push(value(&path, "is what tokens begin with: visible ASCII characters".to_owned()));
            } else if known.contains(&prefix.as_str()) {
                found.push(value(&path, format!("`{prefix}` is said twice: whose tokens are meant?")));
            }
            known.push(prefix);
        }
    }
    found
}

/// Server and name of a pattern, written `server:name`, `server__name` or `server`.
fn split_pattern(pattern: &str) -> (&str, Option<&str>) {
    match (pattern.split_once(':'), pattern.split_once("__")) {
        (Some((server, name)), _) if !server.contains("__") => (server, Some(name)),
        (_, Some((server, name))) => (server, Some(name)),
        _ => (pattern, None),
    }
}

/// Why a pattern of the policy cannot match anything.
fn pattern_fault(pattern: &str) -> Option<String> {
    let (server, name) = split_pattern(pattern);
    let right = |c: char| c.is_ascii_alphanumeric() || "_-*?".contains(c);
    if pattern.len() > PATTERN_BYTES_MAX {
        Some(format!("is longer than {PATTERN_BYTES_MAX} bytes"))
    } else if server.is_empty() || name == Some("") {
        Some("is written `server:name`, or `server` for all of a server".to_owned())
    } else if !server.chars().all(right) {
        Some(format!("`{server}` matches no server's name: letters, digits, `_`, `-`, and `*` and `?` for any"))
    } else if pattern.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("holds a space or a control character".to_owned())
    } else {
        None
    }
}

fn value(path: &[&str], message: String) -> Complaint {
    Complaint { path: path.iter().map(|step| (*step).to_owned()).collect(), key: false, message }
}

fn key(path: &[&str], message: String) -> Complaint {
    Complaint { key: true, ..value(path, message) }
}

/// Why a text cannot be the token of a source of profiles: its value never stands in the configuration.
fn token_fault(text: &str) -> Option<String> {
    let template = match omni_secrets::Template::parse(text) {
        Ok(template) => template,
        Err(error) => return Some(error.why),
    };
    let one = matches!(template.parts(), [omni_secrets::Part::Value { default: None, .. }]);
    (!one).then(|| {
        "write a reference to a secret, such as `${SECRET:github-token}`, and `omni secret set github-token`".to_owned()
    })
}

/// What the proxy, which has the last word, finds wrong with an entry; path relative to it.
fn spec_fault(name: &str, server: &ServerSettings) -> Option<Complaint> {
    // Where the one that is needed was misspelt or misshapen, that has been said.
    if [server.command.is_some(), server.url.is_some(), server.builtin.is_some()].into_iter().filter(|is| *is).count()
        != 1
    {
        return None;
    }
    // Where this program lies plays no part in what is right.
    let error = ServerSpec::build(name, server, Path::new("omni")).err()?;
    let path: Vec<&str> = error.key.trim_start_matches('.').splitn(2, '.').filter(|step| !step.is_empty()).collect();
    Some(value(&path, error.why))
}

/// What is wrong with an entry made in code, not read from a text; its references to variables are not yet replaced.
pub(crate) fn entry_faults(server: &ServerSettings) -> Vec<String> {
    let stated = |field: &str| match field {
        "command" => server.command.is_some(),
        "url" => server.url.is_some(),
        "builtin" => server.builtin.is_some(),
        "args" => !server.args.is_empty(),
        "env" => !server.env.is_empty(),
        "cwd" => server.cwd.is_some(),
        "headers" => !server.headers.is_empty(),
        "sharing" => server.sharing != Sharing::default(),
        "transport" => server.transport.is_some(),
        _ => false,
    };
    let said = |complaint: Complaint| match complaint.path.as_slice() {
        [] => complaint.message,
        path => format!("{}: {}", path.join("."), complaint.message),
    };
    let unreplaced = ServerSettings { disabled: true, ..server.clone() };
    let plain = serde_json::to_string(server).is_ok_and(|text| !text.contains("${"));
    let refused = if plain { spec_fault("a", server) } else { None };
    let mut found = server_problems(&unreplaced, &stated);
    if found.is_empty() {
        found.extend(refused);
    }
    found.into_iter().map(said).collect()
}
