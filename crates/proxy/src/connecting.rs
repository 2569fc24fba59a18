//! Making a link: the process or connection, the handshake, and the books that are kept of it.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use omni_egress::EgressError;
use omni_protocol::Era;

use crate::error::LinkError;
use crate::handshake::greet;
use crate::hello::{Hello, Speaks};
use crate::link::Link;
use crate::process::spawn;
use crate::profile::{LinkKey, Profile};
use crate::server::Server;
use crate::settings::{RemoteTransport, Sharing};
use crate::slots::{Connecting, forget};
use crate::spec::{RemoteSpec, Transport};
use crate::transports::{HttpWire, sse, stdio, websocket};
use crate::watch_channel;
use crate::wire::Wire;

/// A process that ends sooner than this after its start counts as a failed start.
const STABLE_AFTER: Duration = Duration::from_secs(5);
/// Links to sessions of their own, at most.
const LINKS_MAX: usize = 20_000;

impl Server {
    pub(crate) fn start(self: &Arc<Self>, profile: &Profile) -> Result<Connecting, LinkError> {
        let key = self.key(profile);
        let (done, connecting) = watch_channel::channel(None);
        {
            let mut links = self.lock();
            if links.len() >= LINKS_MAX {
                return Err(LinkError::Overloaded);
            }
            links.entry(key.clone()).or_default().push(connecting.clone());
        }
        let (server, profile) = (Arc::clone(self), profile.clone());
        tokio::spawn(async move {
            let limit = server.spec.pool.connect_timeout;
            let mut stopping = server.stopping.subscribe();
            let connected = tokio::select! {
                biased;
                connected = tokio::time::timeout(limit, server.connect(&key, &profile)) => connected,
                _ = stopping.wait_for(|stop| *stop) => Ok(Err(LinkError::Stopped)),
            };
            let outcome = connected.unwrap_or(Err(LinkError::Timeout { seconds: limit.as_secs() }));
            if let Ok(link) = outcome.as_ref().map(Arc::clone)
                && link.key().session.is_none()
                && link.version().era() == Era::Legacy
                && matches!(link.wire(), Wire::Http(_))
            {
                // What the server asks beside a call's own stream would be lost before this one is there.
                server.stream_opened(&link).await;
            }
            let outcome = match outcome {
                // It was stopped in the meantime: nobody else would end this link.
                Ok(link) if server.is_stopped() => {
                    link.close();
                    Err(LinkError::Stopped)
                }
                outcome => outcome,
            };
            let outcome = server.connected(&key, outcome, done.subscribe());
            done.send_replace(Some(outcome));
        });
        Ok(connecting)
    }

    /// Books the outcome of one attempt.
    fn connected(
        self: &Arc<Self>,
        key: &LinkKey,
        outcome: Result<Arc<Link>, LinkError>,
        connecting: Connecting,
    ) -> Result<Arc<Link>, LinkError> {
        match &outcome {
            Ok(link) => {
                {
                    let mut speaks = self.speaks.lock().unwrap_or_else(PoisonError::into_inner);
                    let wanted = key.version.era();
                    match (wanted, link.version().era()) {
                        (_, Era::Modern) => speaks.modern = Some(true),
                        (_, Era::Legacy) => speaks.legacy = Some(true),
                    }
                    match (wanted, link.version().era()) {
                        (Era::Modern, Era::Legacy) => speaks.modern = Some(false),
                        (Era::Legacy, Era::Modern) => speaks.legacy = Some(false),
                        _ => {}
                    }
                }
                if link.key() != key {
                    // It speaks the other era than was asked for: from now on it is looked for there.
                    let mut links = self.lock();
                    forget(&mut links, key, &connecting);
                    let there = links.entry(link.key().clone()).or_default();
                    let living = |c: &Connecting| c.borrow().as_ref()?.as_ref().ok().filter(|l| l.is_alive()).cloned();
                    if self.spec.sharing == Sharing::Shared
                        && let Some(other) = there.iter().find_map(living)
                    {
                        // One that serves that era is there already; two would keep two states.
                        link.close();
                        return Ok(other);
                    }
                    there.push(connecting);
                }
                self.health.back_off.succeeded();
                if link.key().session.is_none() && self.is_only(link.key()) {
                    self.listen(link);
                    self.refresh_link(link);
                }
                if link.key().session.is_none() && self.is_first(link.key()) {
                    self.multiply(link.key());
                }
            }
            // A pool that is full is the hub's own affair: the server is not left alone for it.
            Err(LinkError::Stopped | LinkError::Egress(EgressError::PoolFull { .. })) => {
                forget(&mut self.lock(), key, &connecting);
            }
            Err(error) => {
                tracing::warn!(server = %self.spec.name, %error, "server cannot be reached");
                forget(&mut self.lock(), key, &connecting);
                self.health.back_off.failed(error);
                self.unreadable(&self.shelf_for(&key.capabilities), error);
            }
        }
        outcome
    }

    /// Whether there is no other link under `key`, made or being made.
    fn is_first(&self, key: &LinkKey) -> bool {
        self.lock().get(key).is_none_or(|all| all.len() <= 1)
    }

    /// Whether no other link lives under `key`. One that is being made may come to nothing, and then nobody would listen.
    fn is_only(&self, key: &LinkKey) -> bool {
        let living = |c: &Connecting| matches!(&*c.borrow(), Some(Ok(link)) if link.is_alive());
        self.lock().get(key).is_none_or(|all| !all.iter().any(living))
    }

    /// Starts the rest of the initial processes of a server that is multiplied, beside the first call.
    fn multiply(self: &Arc<Self>, key: &LinkKey) {
        if self.spec.sharing != Sharing::Multiplied || matches!(self.spec.transport, Transport::Remote(_)) {
            return;
        }
        for _ in 1..self.spec.pool.initial {
            let started = self.start(&Profile::new(key.version, key.capabilities.clone()));
            if started.is_err() {
                return;
            }
        }
    }

    async fn connect(self: &Arc<Self>, key: &LinkKey, profile: &Profile) -> Result<Arc<Link>, LinkError> {
        let own = key.session.is_some();
        let profile = if own { profile.clone() } else { profile.among_others() };
        let mut next_id = 1;
        let first = self.attempt(&profile, self.speaks(), &mut next_id).await;
        let (wire, hello) = match first {
            // Some servers end when the first message is none that they know, also those that were of another era before.
            Err(LinkError::Ended { .. } | LinkError::Disconnected { .. })
                if profile.version.era() == Era::Modern && self.speaks().modern != Some(false) =>
            {
                let speaks = Speaks { modern: Some(false), legacy: None, sse: self.speaks().sse };
                self.attempt(&profile, speaks, &mut next_id).await?
            }
            other => other?,
        };
        let version = hello.version;
        let key = match version.era() {
            Era::Modern => LinkKey::modern(),
            Era::Legacy if own => key.clone(),
            Era::Legacy => LinkKey::shared(profile.capabilities.clone()),
        };
        let link = Link::new((&self.spec, &self.health), key, hello, wire, next_id);
        if let Wire::Channel(channel) = link.wire() {
            let (server, weak) = (Arc::downgrade(self), Arc::downgrade(&link));
            channel.on_unasked(Box::new(move |message| {
                if let (Some(server), Some(link)) = (server.upgrade(), weak.upgrade()) {
                    server.hear(&link, message);
                }
            }));
        }
        Ok(link)
    }

    pub(crate) async fn attempt(
        self: &Arc<Self>,
        profile: &Profile,
        speaks: Speaks,
        next_id: &mut u64,
    ) -> Result<(Wire, Hello), LinkError> {
        let Transport::Remote(remote) = &self.spec.transport else {
            return self.converse(self.process().await?, profile, speaks, next_id).await;
        };
        let mut remote = remote.clone();
        remote.headers.extend(self.spec.credentials.fields(&self.spec.name).await?);
        let remote = &remote;
        let found = if speaks.sse { RemoteTransport::Sse } else { RemoteTransport::Http };
        let transport = remote.transport.unwrap_or(found);
        // HTTP+SSE was left behind before 2026-07-28 came.
        let legacy = Speaks { modern: Some(false), ..speaks };
        let speaks = if transport == RemoteTransport::Sse { legacy } else { speaks };
        let wire = self.connection(remote, transport, profile).await;
        let may_be_sse = |wire: &Wire| matches!(wire, Wire::Http(http) if http.may_be_sse());
        let (error, other) = match wire {
            Ok(wire) => match greet(&wire, profile, speaks, next_id).await {
                Ok(hello) => return Ok((wire, hello)),
                Err(error) => {
                    wire.close();
                    (error, may_be_sse(&wire))
                }
            },
            Err(error) => (error, false),
        };
        if remote.transport.is_some() || !other {
            // What was found out does not hold any more: the next attempt asks again.
            self.found_sse(false);
            return Err(error);
        }
        let both = |sse: LinkError| LinkError::Handshake(format!("{error}; nor does it speak HTTP+SSE: {sse}"));
        let wire = self.connection(remote, RemoteTransport::Sse, profile).await.map_err(both)?;
        let done = self.converse(wire, profile, legacy, next_id).await?;
        self.found_sse(true);
        Ok(done)
    }

    async fn converse(
        &self,
        wire: Wire,
        profile: &Profile,
        speaks: Speaks,
        next_id: &mut u64,
    ) -> Result<(Wire, Hello), LinkError> {
        match greet(&wire, profile, speaks, next_id).await {
            Ok(hello) => Ok((wire, hello)),
            Err(error) => {
                wire.close();
                Err(error)
            }
        }
    }

    fn found_sse(&self, found: bool) {
        self.speaks.lock().unwrap_or_else(PoisonError::into_inner).sse = found;
    }

    async fn process(self: &Arc<Self>) -> Result<Wire, LinkError> {
        let Transport::Stdio(spec) = &self.spec.transport else { return Err(LinkError::Stopped) };
        let mut spec = spec.clone();
        spec.env.extend(self.spec.credentials.variables(&self.spec.name).await?);
        let child = spawn(&spec, self.guard.as_ref())?;
        self.processes.fetch_add(1, Ordering::AcqRel);
        let (server, began) = (Arc::downgrade(self), tokio::time::Instant::now());
        let on_end = Box::new(move |error: LinkError| {
            let Some(server) = server.upgrade() else { return };
            server.processes.fetch_sub(1, Ordering::AcqRel);
            server.channel_ended(&error, began.elapsed());
        });
        Ok(Wire::Channel(stdio::open(self.spec.name.as_str(), child, on_end)))
    }

    async fn connection(
        self: &Arc<Self>,
        remote: &RemoteSpec,
        transport: RemoteTransport,
        profile: &Profile,
    ) -> Result<Wire, LinkError> {
        let client = self.client.as_ref().ok_or(LinkError::Stopped)?;
        let (server, began, shared) = (Arc::downgrade(self), tokio::time::Instant::now(), profile.session.is_none());
        let on_end = Box::new(move |error: LinkError| {
            let Some(server) = server.upgrade() else { return };
            server.channel_ended(&error, began.elapsed());
            // A process is started when it is needed; an address is connected to again, to hear what changes there.
            if shared && error != LinkError::Stopped && !server.is_stopped() {
                server.refresh();
            }
        });
        let name = self.spec.name.as_str();
        match transport {
            RemoteTransport::Http => Ok(Wire::Http(HttpWire::new(client.clone(), remote))),
            RemoteTransport::Sse => Ok(Wire::Channel(sse::open(name, client, remote, on_end).await?)),
            RemoteTransport::WebSocket => Ok(Wire::Channel(websocket::open(name, remote, on_end).await?)),
        }
    }

    fn channel_ended(&self, error: &LinkError, age: Duration) {
        for all in self.lock().values_mut() {
            all.retain(|c| !matches!(&*c.borrow(), Some(Ok(link)) if !link.is_alive()));
        }
        if self.is_stopped() || *error == LinkError::Stopped {
            return;
        }
        tracing::info!(server = %self.spec.name, %error, "a conversation ended");
        if age < STABLE_AFTER && self.health.back_off.wait().is_none() {
            self.health.back_off.failed(error);
        }
    }
}
