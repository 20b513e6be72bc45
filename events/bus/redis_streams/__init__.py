"""The bus on Valkey or Redis: a stream for each shard, and on it one consumer group for each subscriber.

A shard is read by one process of a group at a time, which holds a lease on it. A lease alone shuts nobody out: whoever was
asleep, or waits for an answer, still believes to hold it. So the consumer group in the stream carries its reader's name.
Who takes a shard over puts a group of its own in the place of its predecessor's, from the first message that was not
passed; the predecessor, whatever it believes, has nothing more to read from, in an answer that it waits for neither.

A mark beside each stream names the run of the server under which the stream was begun. A server that lost its data has no
mark, and one that was started again has another's: what its log had not yet on disk is gone. The script that appends
compares the mark, and is itself forgotten by a server that ends: so nothing is appended behind a gap. A stream without
its mark is not read either: where messages are missing, nobody says to have passed all that was sent.
"""

from events.bus.redis_streams.adapter import RedisStreams as RedisStreams
from events.bus.redis_streams.reader import StreamReader as StreamReader
