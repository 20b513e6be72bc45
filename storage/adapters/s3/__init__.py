"""S3, with the keys of buckets made over the IAM API: AWS, or SeaweedFS, which answers both at one address.

The holder of a bucket's keys is an IAM user of the bucket's name; its one policy names that bucket.
"""
