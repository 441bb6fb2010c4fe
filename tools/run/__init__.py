"""The main job: cases made, pabot started and watched, results judged and kept."""
