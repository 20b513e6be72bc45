"""Invitations by mail: a single-use link to one address, with the roles that whoever opens it gets.

    open ──accept──> accepted
      │ └──revoke──> revoked
      └──its days──> expired

The token exists in the mail alone: the task that sends it makes it, and keeps its hash. Sending again makes another.
"""
