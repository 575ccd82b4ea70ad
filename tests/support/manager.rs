//! A manager who works with the HTTPS API.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use hyper::{Method, header};
use serde_json::{Value, json};

use super::https::{Caller, Https};

const V1: &str = "/2011-12-03";

/// Somebody who is logged in.
#[derive(Clone)]
pub(crate) struct Manager {
    https: Https,
    caller: Caller,
    queues: BTreeMap<String, u64>,
    users: BTreeMap<String, u64>,
}

impl Manager {
    /// Logs in.
    pub(crate) async fn login(https: Https, name: &str, password: &str) -> Result<Self> {
        let fields = json!({ "username": name, "password": password });
        let reply = https.ask(Method::POST, &format!("{V1}/auth/login"), &Caller::Anybody, Some(&fields)).await?;
        let cookie = reply.headers.get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookie = cookie.with_context(|| format!("{name} could not log in: {reply:?}"))?.to_owned();
        Ok(Self {
            https,
            caller: Caller::Shows(hyper::header::COOKIE, cookie),
            queues: BTreeMap::new(),
            users: BTreeMap::new(),
        })
    }

    /// Makes a queue.
    pub(crate) async fn create_queue(&mut self, name: &str) -> Result<()> {
        let id = self.create("queues", name).await?;
        self.queues.insert(name.to_owned(), id);
        Ok(())
    }

    /// Makes a user, unless that was done before.
    pub(crate) async fn create_user(&mut self, name: &str) -> Result<()> {
        if !self.users.contains_key(name) {
            let id = self.create("users", name).await?;
            self.users.insert(name.to_owned(), id);
        }
        Ok(())
    }

    /// Gives a queue another name.
    pub(crate) async fn rename_queue(&mut self, name: &str, to: &str) -> Result<()> {
        let id = known(&self.queues, name)?;
        self.write(Method::PUT, &format!("queues/{id}"), Some(json!({ "name": to }))).await?;
        self.queues.remove(name);
        self.queues.insert(to.to_owned(), id);
        Ok(())
    }

    /// Removes a queue.
    pub(crate) async fn delete_queue(&mut self, name: &str) -> Result<()> {
        let id = known(&self.queues, name)?;
        self.write(Method::DELETE, &format!("queues/{id}"), None).await?;
        self.queues.remove(name);
        Ok(())
    }

    /// Assigns a user to a queue.
    pub(crate) async fn assign(&self, user: &str, queue: &str) -> Result<()> {
        let (user, queue) = (known(&self.users, user)?, known(&self.queues, queue)?);
        self.write(Method::POST, &format!("queues/{queue}/operators"), Some(json!({ "userId": user }))).await.map(drop)
    }

    /// Ends an assignment.
    pub(crate) async fn unassign(&self, user: &str, queue: &str) -> Result<()> {
        let (user, queue) = (known(&self.users, user)?, known(&self.queues, queue)?);
        self.write(Method::DELETE, &format!("queues/{queue}/operators/{user}"), None).await.map(drop)
    }

    /// Enables an operator, or suspends them.
    pub(crate) async fn enable(&self, user: &str, queue: &str, enabled: bool) -> Result<()> {
        let (user, queue) = (known(&self.users, user)?, known(&self.queues, queue)?);
        let path = format!("queues/{queue}/operators/{user}");
        let reply = self.write(Method::PUT, &path, Some(json!({ "enabled": enabled }))).await?;
        // A suspended operator shows as null in this version of the API.
        let is = reply[0]["enabled"] == json!(true);
        ensure!(is == enabled, "enabled is to be {enabled}, but: {reply}");
        Ok(())
    }

    /// Writes something that changes nothing. All that the daemon heard before has been worked off when it is answered.
    pub(crate) async fn write_nothing(&self) -> Result<()> {
        let Some(id) = self.users.values().next() else { return Ok(()) };
        self.write(Method::PUT, &format!("users/{id}"), Some(json!({ "email": "somebody@example.org" })))
            .await
            .map(drop)
    }

    /// The show of a queue, as anybody can read it.
    pub(crate) async fn public_show(&self, queue: &str) -> Result<String> {
        let path = format!("/presence/jid/{queue}/queues.localhost/text");
        let reply = self.https.get(&path).await?;
        ensure!(reply.status == 200, "{path}: {reply:?}");
        Ok(reply.body)
    }

    async fn create(&self, what: &str, name: &str) -> Result<u64> {
        let reply = self.write(Method::POST, what, Some(json!({ "name": name }))).await?;
        reply[0]["id"].as_u64().with_context(|| format!("{name} has no id in {reply}"))
    }

    async fn write(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let reply = self.https.ask(method.clone(), &format!("{V1}/{path}"), &self.caller, body.as_ref()).await?;
        let value = reply.json()?;
        let failed = value.get("success").is_some_and(Value::is_null);
        ensure!(reply.status == 200 && !failed, "{method} {path}: {reply:?}");
        Ok(value)
    }
}

fn known(ids: &BTreeMap<String, u64>, name: &str) -> Result<u64> {
    ids.get(name).copied().with_context(|| format!("nobody made {name}"))
}
