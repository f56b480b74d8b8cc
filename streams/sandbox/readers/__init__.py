"""The readers of the paper world's sites: people, members, crawlers, and those who would like to be counted twice."""
