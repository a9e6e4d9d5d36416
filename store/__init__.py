"""What must survive a power cut: tables, migrations, queries."""
