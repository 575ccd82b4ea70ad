//! Changes of many operators of a queue at once, all or none.

use std::collections::BTreeSet;

use super::{
    AccountId, Change, Claim, Claims, Desk, Key, Operator, Outcome, Plan, QueueId, Record, Refusal, Suspension,
    SuspensionFields, UserId, Version, Write,
};

/// The most operators that are set at a time.
pub const ROWS_MOST: usize = 1_000;

/// What is to become of the operators of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staffing {
    /// These are all there are, so suspended or (`None`) enabled: who is not named is unassigned.
    Exactly(Vec<(UserId, Option<Suspension>)>),
    /// These are enabled (`true`), suspended, or left as they are, with this known of it; nobody else changes.
    Change(Vec<(UserId, Option<bool>, SuspensionFields)>),
}

impl Staffing {
    fn users(&self) -> Vec<UserId> {
        match self {
            Self::Exactly(rows) => rows.iter().map(|(user, _)| *user).collect(),
            Self::Change(rows) => rows.iter().map(|(user, _, _)| *user).collect(),
        }
    }
}

impl Desk {
    /// Whether the version fits is decided here, with nothing between that and the change.
    pub(super) fn plan_staffing(
        &self,
        account: AccountId,
        queue: QueueId,
        versions: Option<&[Version]>,
        staffing: &Staffing,
    ) -> Result<Plan, Refusal> {
        self.own_queue(account, queue)?;
        let users = staffing.users();
        if users.len() > ROWS_MOST {
            return Err(Refusal::TooManyOperators { most: ROWS_MOST });
        }
        let version = self.operators_version(queue).ok_or(Refusal::NoQueue)?;
        if versions.is_some_and(|versions| !versions.contains(&version)) {
            return Err(Refusal::Changed);
        }
        let mut plan = Plan {
            change: Change::new(),
            claims: Claims::of([Claim::Account(account)], [Claim::Queue(queue)]),
            outcome: Outcome::Done,
        };
        match staffing {
            Staffing::Exactly(rows) => self.plan_exactly(account, queue, rows, &mut plan)?,
            Staffing::Change(rows) => self.plan_changes(account, queue, rows, &mut plan)?,
        }
        plan.outcome = Outcome::Staffed(self.operators_version_after(queue, &plan.change).ok_or(Refusal::NoQueue)?);
        Ok(plan)
    }

    fn plan_exactly(
        &self,
        account: AccountId,
        queue: QueueId,
        rows: &[(UserId, Option<Suspension>)],
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        let before = &self.queues[&queue].operators;
        // It would be unassigned by somebody who can not have read all of it.
        if before.len() > ROWS_MOST {
            return Err(Refusal::TooManyOperators { most: ROWS_MOST });
        }
        let wanted: Vec<_> = rows.iter().map(|(user, _)| *user).collect();
        Self::each(queue, &wanted, plan, |plan, place| {
            let (user, suspended) = &rows[place];
            let is = match self.suspended(account, queue, *user) {
                Ok(is) => Some(is),
                Err(Refusal::NotAssigned) => None,
                Err(refusal) => return Err(refusal),
            };
            if is.as_ref() != Some(suspended) {
                let operator = Operator { queue, user: *user, suspended: suspended.clone() };
                plan.change.push(Write::Put(Record::Operator(operator)));
            }
            Ok(())
        })?;
        let named: BTreeSet<_> = wanted.into_iter().collect();
        for user in before.difference(&named) {
            plan.claims.add_operator(queue, *user);
            plan.change.push(Write::Delete(Key::Operator(queue, *user)));
            self.end_following(queue, &self.people[user].jid, plan);
        }
        Ok(())
    }

    fn plan_changes(
        &self,
        account: AccountId,
        queue: QueueId,
        rows: &[(UserId, Option<bool>, SuspensionFields)],
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        let wanted: Vec<_> = rows.iter().map(|(user, _, _)| *user).collect();
        Self::each(queue, &wanted, plan, |plan, place| {
            let (user, enabled, fields) = &rows[place];
            plan.change.extend(self.plan_enabling(account, queue, *user, *enabled, fields)?.change);
            Ok(())
        })
    }

    /// Plans each of them, and says of all that can not be.
    fn each(
        queue: QueueId,
        users: &[UserId],
        plan: &mut Plan,
        mut step: impl FnMut(&mut Plan, usize) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut first = BTreeSet::new();
        let mut bad = Vec::new();
        for (place, user) in users.iter().enumerate() {
            let planned = if first.insert(*user) {
                plan.claims.add_operator(queue, *user);
                step(plan, place)
            } else {
                Err(Refusal::Twice)
            };
            bad.extend(planned.err().map(|refusal| (place, refusal)));
        }
        if bad.is_empty() { Ok(()) } else { Err(Refusal::Items(bad)) }
    }
}
