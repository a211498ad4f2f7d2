"""The status of the installation: figures of all processes and their history, alerts, and the page that shows them."""
