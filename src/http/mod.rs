//! HTTPS: what clients ask and are answered. The only folder that names axum.

pub mod admin;

mod accept;
mod activity;
mod auth;
mod client;
mod current;
mod docs;
mod guard;
mod headers;
mod health;
mod host;
mod json;
mod libraryh3lp;
mod limits;
mod noted;
mod openapi;
mod origin;
mod presence;
mod rest;
mod seats;
mod server;
mod stall;
mod testing;
mod tls;
mod v1;
mod watch;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::engine::Handle;
pub use auth::AccessSettings;
use auth::Doors;
pub use client::{ForwardedBy, Proxies};
pub use current::Control;
use current::Current;
use json::Json;
use libraryh3lp::Failure;
pub use limits::Limits;
pub use noted::{NotedBody, PageBody, ThingBody, WhoBody};
pub use server::{ServeError, Server};
pub use tls::{Checked, TlsError, check_certificate, own_certificate};

/// The settings of the HTTPS server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where public presence is served without TLS too.
    pub public_listen: Option<SocketAddr>,
    /// Where metrics are served, without TLS.
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate and its chain, PEM; with `tls_key` or not at all.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM.
    pub tls_key: Option<PathBuf>,
    /// The state folder: without a certificate one is made in its folder `tls`.
    pub state: PathBuf,
    /// The domain of the queues.
    pub domain: Box<str>,
    /// The domain of users that were made without a JID.
    pub user_domain: Box<str>,
    /// Whether the presence formats say `available` for `chat`, which many pages do not know.
    pub presence_cap: bool,
    /// Whether the presence formats tell the presence of users, not of queues only.
    pub presence_of_users: bool,
    /// How long a request may take, its body included.
    pub request_timeout: Duration,
    /// The most bytes in a request's body.
    pub body_limit: usize,
    /// How long browsers are told to come by HTTPS only; where it is nothing, those that were told before forget it.
    pub hsts: Duration,
    /// How many connections there may be.
    pub limits: Limits,
    /// How those are kept out who try.
    pub access: AccessSettings,
}

/// What every handler has at hand; handed to each request, so it is one pointer.
type Site = Arc<Tools>;

#[derive(Debug)]
struct Tools {
    settings: Current,
    desk: Handle,
    doors: Doors,
}

impl Tools {
    fn new(settings: Settings, desk: Handle) -> Self {
        Self { doors: Doors::new(&settings.access), settings: Current::new(settings), desk }
    }
}

/// Everything that is served, but for the connections.
fn router(site: Site) -> Router {
    let metrics = site.desk.metrics().clone();
    let presence = presence::routes(site.settings.clone(), site.desk.clone()).layer(from_fn(watch::trace_read));
    let ((own, _), (health, _)) = (v1::routes(), health::routes());
    Router::new()
        .merge(api(&site, own))
        // These read no body and wait for nothing.
        .merge(health)
        .merge(openapi::routes())
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .fallback(async || Failure::not_found())
        .layer(from_fn_with_state(site.clone(), watch::trace))
        .with_state(site)
        // Read so often that they are noted only where anybody wants to know.
        .merge(presence)
        .layer(from_fn(rest::read))
        .layer(CatchPanicLayer::custom(watch::panicked))
        .layer(from_fn_with_state(metrics, watch::count))
}

/// What is served without TLS: public presence, and nothing else.
fn public_router(settings: Current, desk: Handle) -> Router {
    let metrics = desk.metrics().clone();
    presence::routes(settings, desk)
        .layer(from_fn(watch::trace_read))
        .fallback(async || presence::refuse(Failure::not_found()))
        .layer(from_fn(rest::read))
        .layer(CatchPanicLayer::custom(watch::panicked))
        .layer(from_fn_with_state(metrics, watch::count))
}

fn api(site: &Site, own: Router<Site>) -> Router<Site> {
    libraryh3lp::routes(site)
        .merge(own)
        .layer(DefaultBodyLimit::max(site.settings.get().body_limit))
        .layer(from_fn_with_state(site.settings.clone(), watch::limit_time))
        .layer(from_fn(headers::private))
}
