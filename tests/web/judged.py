"""What tests ask a page in a browser: whether axe finds something serious, and whether it scrolls sideways."""

SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
# One line for each finding: the rule, and where.
FINDINGS = """
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`)))
"""
