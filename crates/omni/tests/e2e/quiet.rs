//! A hub that has nothing to do uses no processor time, whatever became of its servers and clients (TRB-4, EMG-1, POOL-1).

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Client, Era, HttpFixture, Hub, everything, processes, until};
use crate::subscriptions::{Hearing, WATCHED};

/// How long it is looked at.
const LOOK: Duration = Duration::from_secs(3);
/// Of that, what it may use: a debug build that tries to reach servers now and then. A loop without a pause uses all of it.
const CPU_MS_MAX: u64 = 900;

async fn idles(hub: &Hub, when: &str) {
    let before = processes::cpu_ms(hub.pid);
    tokio::time::sleep(LOOK).await;
    let used = processes::cpu_ms(hub.pid).saturating_sub(before);
    eprintln!("{when}: {used} ms");
    assert!(used <= CPU_MS_MAX, "{when}: {used} ms of processor time in {LOOK:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_hub_idles_whatever_becomes_of_servers_that_are_listened_to() {
    let webs = ["legacy", "modern"].map(|era| (era, HttpFixture::start(&["--era", era])));
    let pipe = |era: &str| {
        let mut entry = everything(&["--era", era]);
        (entry["timeout_s"], entry["breaker"]) = (json!(1), json!({ "failures": 1, "open_s": 1 }));
        entry
    };
    let mut servers = json!({ "pipe-legacy": pipe("legacy"), "pipe-modern": pipe("modern") });
    for (era, web) in &webs {
        servers[format!("web-{era}")] = web.entry();
    }
    let names: Vec<String> = servers.as_object().unwrap().keys().cloned().collect();
    let hub = Hub::with(servers);
    hub.awake().await;
    let mut hearing = Vec::new();
    for name in &names {
        for era in Era::BOTH {
            hearing.push(Hearing::of(&hub, &format!("/mcp/{name}"), era, &[WATCHED]).await);
        }
    }
    idles(&hub, "subscribed").await;

    let addresses = webs.each_ref().map(|(era, web)| (*era, web.address()));
    drop(webs);
    let fixtures = || {
        let program = crate::harness::fixture::program().display().to_string();
        hub.processes().into_iter().filter(move |process| process.command.starts_with(&program))
    };
    fixtures().for_each(|process| processes::signal(process.pid, Signal::KILL));
    idles(&hub, "servers gone").await;

    let _webs = addresses.map(|(era, address)| HttpFixture::start_at(&address, &["--era", era]));
    for one in &mut hearing {
        one.hears(WATCHED).await;
    }
    idles(&hub, "servers back").await;

    // Processes that never move again: they are let go while they are still there.
    fixtures().for_each(|process| processes::signal(process.pid, Signal::STOP));
    for name in names.iter().filter(|name| name.starts_with("pipe")) {
        let client = Client::open(&hub, &format!("/mcp/{name}"), Era::Legacy).await;
        let (started, began) = (processes::cpu_ms(hub.pid), Instant::now());
        until("another one serves", 60, async || {
            let call = json!({ "name": "test_simple_text", "arguments": {} });
            let response = client.response("tools/call", call).await;
            if response.get("result").is_some() { Ok(()) } else { Err(response.to_string()) }
        })
        .await;
        let (used, took) = (processes::cpu_ms(hub.pid).saturating_sub(started), began.elapsed().as_millis());
        eprintln!("{name} mute: {used} ms of {took} ms");
        assert!(u128::from(used) <= took / 3 + u128::from(CPU_MS_MAX), "{used} ms of {took} ms");
    }
    idles(&hub, "mute servers replaced").await;

    // Clients gone in every way: ended, or not heard of any more.
    for (number, one) in hearing.into_iter().enumerate() {
        if number % 4 == 0 {
            one.client.delete().await;
        }
    }
    idles(&hub, "clients gone").await;
}
