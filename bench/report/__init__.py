"""Results for people and programs: tables, JSON, and the page with its chart."""
