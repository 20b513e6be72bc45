"""Outgoing webhooks: a tenant's events, sent to addresses that the tenant registered, as Standard Webhooks describes it.

    event ──handler──> a delivery for each webhook that wants it ──sender──> delivered
                                       └─ a failure: again, later and later ──> failed

The handler writes in the transaction in which the event is noted as handled, so there is one delivery for each. Sending
happens afterwards, outside of every transaction, and at least once: a receiver tells repetitions by `webhook-id`.
Webhooks and deliveries stand in the tenant's schema; `events.webhooks.queue` says, for all tenants in one table of the
platform, which webhooks have something to send.
"""
