"""Browser sessions: a row for each browser that somebody has signed in with, and the tokens that belong to it.

    begin (sign-in) ──> going on ──> ended: row deleted
                          │  ^
        access token      v  │  new tokens
        about to lapse  refreshing ──refused──> ended
                          │
                          └──no answer──> goes on for a while, then nobody is signed in until the issuer answers

Django's session holds the row's id and nothing else of a sign-in. Without its row a session belongs to nobody, whatever
the cache or the cookie says; so that ending one is deleting a row, in force with the next request of every process.
"""
