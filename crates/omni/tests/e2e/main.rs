//! The hub end to end: the real program, real servers behind it, real clients in front of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;

mod breaker;
mod changes;
mod clients;
mod clients_asked;
mod commands;
mod eras;
mod faults_era;
mod faults_http;
mod faults_reset;
mod faults_stdio;
mod fidelity;
mod fidelity_oracle;
mod floods;
mod idle;
mod interaction;
mod isolation;
mod leaks;
mod mirrored;
mod policy;
mod quiet;
mod real_servers;
mod reload;
mod resumption;
mod subscriptions;
mod tasks;
mod tls;
mod transports_down;
mod transports_up;
mod validation;
mod websocket_down;
mod websocket_up;
mod wire;
