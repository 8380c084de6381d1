"""The whole portal on one machine, for somebody who wants to see it: `manage.py demo`."""
