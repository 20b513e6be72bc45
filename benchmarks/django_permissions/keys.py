"""A hundred permissions, and three roles of thirty each: the same for everybody who is measured."""

from accounts.permissions import Permission

COUNT = 100
ROLES = {f"role-{number}": range(number * 30, number * 30 + 30) for number in range(3)}
REGISTERED = [Permission(f"bench.thing.act{number}", f"Act {number}", "Bench") for number in range(COUNT)]
HELD, NOT_HELD = 45, 95  # one that every measured person holds, one that nobody holds
